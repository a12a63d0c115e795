"""Real servers on loopback."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ccgpu.guest.openssh import open_channel
from support import real_guest
from support.attested import EVENTS, running_vm
from support.collecting import CollectingVm
from support.paravisor import HCL, served_as_device
from support.sshd import Sshd, make_key, prepared_sshd
