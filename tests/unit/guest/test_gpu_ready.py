"""The GPU's ready state: set once, and believed only if it is read."""

import pytest

from ccgpu.errors import GuestNotReady
from ccgpu.guest.channel import Completed
from ccgpu.guest.gpu_ready import set_gpu_ready
from support.channels import ScriptedChannel

READY = Completed(0, b"Confidential Compute GPUs Ready state: ready\n", b"")
NOT_READY = Completed(0, b"Confidential Compute GPUs Ready state: not-ready\n", b"")
SET = Completed(0, b"Successfully set the GPUs Ready State to ready\n", b"")
_SMI = ["sudo", "-n", "nvidia-smi", "conf-compute"]


def test_a_gpu_that_is_ready_is_left_as_it_is():
    channel = ScriptedChannel([READY])
    set_gpu_ready(channel)
    assert channel.commands == [[*_SMI, "-grs"]]


def test_a_gpu_is_set_ready_and_read_again():
    channel = ScriptedChannel([NOT_READY, SET, READY])
    set_gpu_ready(channel)
    assert channel.commands == [[*_SMI, "-grs"], [*_SMI, "-srs", "1"], [*_SMI, "-grs"]]


@pytest.mark.parametrize(
    ("told", "read", "message"),
    [
        (SET, NOT_READY, "reports no error"),
        (Completed(4, b"", b"Insufficient Permissions\n"), NOT_READY, "Insufficient Permissions"),
        (SET, Completed(9, READY.stdout, b""), "cannot be read"),
        (SET, Completed(0, READY.stdout * 2, b""), "reports no error"),
        (SET, Completed(0, b"ready\n", b""), "reports no error"),
    ],
    ids=["not-set", "refused", "unread", "twice", "unknown"],
)
def test_a_state_that_is_not_read_as_ready_is_not(told, read, message):
    with pytest.raises(GuestNotReady, match=message):
        set_gpu_ready(ScriptedChannel([NOT_READY, told, read]))
