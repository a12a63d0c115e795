"""The GPU's ready state: until it is set, the driver runs no work on a confidential GPU.

It is lost at each boot (NVIDIA, "Deployment Guide for Trusted Environments", `conf-compute -srs`).
"""

from collections.abc import Callable
from functools import partial

from ccgpu.errors import GuestNotReady
from ccgpu.guest import probe
from ccgpu.guest.channel import CommandRunner, Completed
from ccgpu.guest.report import is_gpu_ready

# The id and the command are of one boot: this shell ends when the VM restarts. $0 is the id.
_IN_BOOT = ("sh", "-c", 'test "$(cat /proc/sys/kernel/random/boot_id)" = "$0" && exec "$@"')
_SET = ("nvidia-smi", "conf-compute", "-srs", "1")
_TIMEOUT = 120.0  # seconds; nvidia-smi alone takes several


def set_gpu_ready(
    channel: CommandRunner,
    boot_id: str,
    time_left: Callable[[float], float] = lambda wanted: wanted,
) -> None:
    """Set the GPU ready in this boot of the VM, unless it is, and read the state again.

    boot_id: the kernel's id of the boot that was judged. In any other boot nothing is set.
    time_left: what is left of so many seconds; raises `TimedOut` if nothing is.

    Raises:
        GuestNotReady: It has not become ready.
        GuestUnreachable, HostKeyMismatch, ConnectionLost, TimedOut: As `Channel` says.
    """
    run = partial(_run_as_root, channel, time_left)
    if _is_ready(run(*probe.COMMANDS["ready"])):
        return
    told = run(*_IN_BOOT, boot_id, *_SET)
    read = run(*probe.COMMANDS["ready"])
    if not _is_ready(read):
        raise GuestNotReady(f"the GPU has not become ready: {_why(told, read)}")


def _why(told: Completed, read: Completed) -> str:
    if told.exit_code:
        result = _result(told)
        # `test` prints nothing; nvidia-smi does.
        other = not (result.stdout or result.stderr)
        return "the VM has been started anew since it was asked" if other else result.complaint
    if read.exit_code:
        return f"its state cannot be read: {_result(read).complaint}"
    return "nvidia-smi reports no error"


def _run_as_root(
    channel: CommandRunner, time_left: Callable[[float], float], *argv: str
) -> Completed:
    return channel.run(["sudo", "-n", *argv], timeout=time_left(_TIMEOUT))


def _result(done: Completed) -> probe.CommandResult:
    texts = (part.decode("utf-8", "replace") for part in (done.stdout, done.stderr))
    return probe.CommandResult(done.exit_code, *texts)


def _is_ready(done: Completed) -> bool:
    return is_gpu_ready(_result(done)) is True
