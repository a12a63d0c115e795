"""The GPU's ready state: until it is set, the driver runs no work on a confidential GPU.

It is lost at each boot (NVIDIA, "Deployment Guide for Trusted Environments", `conf-compute -srs`).
"""

from functools import partial

from ccgpu.errors import GuestNotReady
from ccgpu.guest import probe
from ccgpu.guest.channel import CommandRunner, Completed
from ccgpu.guest.report import is_gpu_ready

_SET = ("nvidia-smi", "conf-compute", "-srs", "1")
_TIMEOUT = 120.0  # seconds; nvidia-smi alone takes several


def set_gpu_ready(channel: CommandRunner) -> None:
    """Set the GPU ready, unless it is, and read the state again.

    Raises:
        GuestNotReady: It has not become ready.
        GuestUnreachable, HostKeyMismatch, ConnectionLost, TimedOut: As `Channel` says.
    """
    run = partial(_run_as_root, channel)
    if _is_ready(run(*probe.COMMANDS["ready"])):
        return
    told = run(*_SET)
    if not _is_ready(run(*probe.COMMANDS["ready"])):
        said = _result(told).complaint if told.exit_code else "nvidia-smi reports no error"
        raise GuestNotReady(f"the GPU has not become ready: {said}")


def _run_as_root(channel: CommandRunner, *argv: str) -> Completed:
    return channel.run(["sudo", "-n", *argv], timeout=_TIMEOUT)


def _result(done: Completed) -> probe.CommandResult:
    texts = (part.decode("utf-8", "replace") for part in (done.stdout, done.stderr))
    return probe.CommandResult(done.exit_code, *texts)


def _is_ready(done: Completed) -> bool:
    return is_gpu_ready(_result(done)) is True
