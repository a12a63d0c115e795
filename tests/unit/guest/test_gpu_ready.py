"""The GPU's ready state: set once, and believed only if it is read."""

import subprocess
import sys
from pathlib import Path

import pytest

from ccgpu.errors import GuestNotReady
from ccgpu.guest.channel import Completed
from ccgpu.guest.gpu_ready import set_gpu_ready
from support.channels import ScriptedChannel

READY = Completed(0, b"Confidential Compute GPUs Ready state: ready\n", b"")
NOT_READY = Completed(0, b"Confidential Compute GPUs Ready state: not-ready\n", b"")
SET = Completed(0, b"Successfully set the GPUs Ready State to ready\n", b"")
BOOT = "7e2a7b1c-6f0b-4c61-9d0f-3c3f0f6c7a11"
_IN_BOOT = 'test "$(cat /proc/sys/kernel/random/boot_id)" = "$0" && exec "$@"'
_SMI = ["sudo", "-n", "nvidia-smi", "conf-compute"]


def test_a_gpu_that_is_ready_is_left_as_it_is():
    channel = ScriptedChannel([READY])
    set_gpu_ready(channel, BOOT)
    assert channel.commands == [[*_SMI, "-grs"]]


def test_a_gpu_is_set_ready_and_read_again():
    channel = ScriptedChannel([NOT_READY, SET, READY])
    set_gpu_ready(channel, BOOT)
    setting = ["sudo", "-n", "sh", "-c", _IN_BOOT, BOOT, *_SMI[2:], "-srs", "1"]
    assert channel.commands == [[*_SMI, "-grs"], setting, [*_SMI, "-grs"]]


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux: it reads /proc")
@pytest.mark.parametrize("other", [False, True])
def test_nothing_is_set_in_another_boot(other):
    """The words as a shell runs them: the file is /proc's, and `echo` stands for nvidia-smi."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    words = ["sh", "-c", _IN_BOOT, BOOT if other else boot, "echo", "set ready"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == ((1, "") if other else (0, "set ready\n"))


@pytest.mark.parametrize(
    ("told", "read", "message"),
    [
        (SET, NOT_READY, "reports no error"),
        (Completed(4, b"", b"Insufficient Permissions\n"), NOT_READY, "Insufficient Permissions"),
        (Completed(1, b"", b""), NOT_READY, "has been started anew"),
        (SET, Completed(9, READY.stdout, b""), "cannot be read"),
        (SET, Completed(0, READY.stdout * 2, b""), "reports no error"),
        (SET, Completed(0, b"ready\n", b""), "reports no error"),
    ],
    ids=["not-set", "refused", "restarted", "unread", "twice", "unknown"],
)
def test_a_state_that_is_not_read_as_ready_is_not(told, read, message):
    with pytest.raises(GuestNotReady, match=message):
        set_gpu_ready(ScriptedChannel([NOT_READY, told, read]), BOOT)
