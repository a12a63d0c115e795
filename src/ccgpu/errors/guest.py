"""The VM: its evidence, the way into it, and what is done in it."""

from typing import ClassVar

from ccgpu.errors.base import CcgpuError


class EvidenceUnavailable(CcgpuError):
    """There is no verdict, because evidence or collateral that it needs is missing."""

    exit_code: ClassVar[int] = 8


class EvidenceRejected(CcgpuError):
    """A check of the evidence failed. Never raised when a check could not be made."""

    exit_code: ClassVar[int] = 9


class HostKeyMismatch(EvidenceRejected):
    """The VM shows another SSH host key than the pinned one. Nothing was sent to it."""


class ImageRejected(EvidenceRejected):
    """A disk is not a measured image, or it is another one than its manifest describes."""


class GuestNotReady(CcgpuError):
    """The VM did not become ready."""

    exit_code: ClassVar[int] = 10


class GuestUnreachable(GuestNotReady):
    """No connection to the VM could be made. `transient`: it may only not be up yet."""

    def __init__(self, message: str, *, hint: str | None = None, transient: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.transient = transient


class ConnectionLost(GuestNotReady):
    """The connection ended before the command in the VM did: how that ended is unknown."""


class ReleaseFailed(GuestNotReady):
    """The VM did not take, list or remove secrets. `reason`: the code of its answer."""

    def __init__(self, message: str, *, reason: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class WorkloadFailed(GuestNotReady):
    """A workload in the VM could not be handled as asked. `reason`: the code of the guest's script.

    The codes are the keys of `guest.workload.HINTS`.
    """

    def __init__(self, message: str, *, reason: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class CopyFailed(CcgpuError):
    """A file could not be read or written, here or in the VM. The connection worked."""

    exit_code: ClassVar[int] = 4
