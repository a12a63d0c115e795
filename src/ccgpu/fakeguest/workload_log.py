"""The log of workloads of a simulated guest, and how it is written.

The file and PCR 13 begin anew at each boot. They are kept apart: software in a guest can write the
file as it likes, but can only extend the PCR.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ccgpu.fakearm import StoredFile
from ccgpu.fakeguest.files import FileTree
from ccgpu.fakeguest.guest import SimulatedGuest

PATH = "/run/ccgpu/workloads.log"


def append_event(guest: SimulatedGuest, event: Mapping[str, Any]) -> bytes:
    """Extend PCR 13 with an event, then append it to the log. Returns the measured bytes.

    event: `ccgpu.workload-event/1`; its members are written as they are.
    """
    line = encode_event(event)
    guest.extend_pcr13(hashlib.sha256(line).digest())
    write_log(guest, (read_log(guest) or b"") + line + b"\n")
    return line


def encode_event(event: Mapping[str, Any]) -> bytes:
    """An event in canonical JSON, without a line feed: what is measured."""
    return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def read_log(guest: SimulatedGuest) -> bytes | None:
    """The log of this boot; None if there is none."""
    file = FileTree(guest).read(PATH)
    return None if file is None else file.data


def write_log(guest: SimulatedGuest, log: bytes | None) -> None:
    """Write another log, as root of a guest can; PCR 13 stays as it is. None: remove the file."""
    files = FileTree(guest)
    if log is None:
        files.remove(PATH)
    else:
        files.write(PATH, StoredFile(0o644, log))
