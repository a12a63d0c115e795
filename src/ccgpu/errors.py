"""The errors that `ccgpu` raises on purpose, with their exit codes.

The tree is part of the public interface. Only `cli/main.py` prints an error and exits. An exception
that is not in this tree is a bug: it becomes an `InternalError` with its traceback.

    CcgpuError                       1
    ├── InternalError                1   a bug in ccgpu, with its traceback
    ├── AnswerLost                   1   the work is done, but stdout could not be written
    ├── UsageProblem                 2   the command line is wrong or ambiguous
    ├── InvalidFile                  3   a spec or policy is wrong; nothing was sent
    ├── ProgramMissing               3   a program that the command needs is not installed
    ├── AzureRefused                 4   Azure refused the request (`code` is Azure's code)
    │   ├── NotSignedIn              4   no token, or one that Azure does not accept
    │   │   └── SignInUnavailable    4   the sign-in service cannot be reached for now
    │   ├── Denied                   4   a permission is missing; the message names the action
    │   ├── NotFound                 4   the resource does not exist
    │   ├── AlreadyExists            4   a precondition failed: it exists, or it has changed
    │   │   └── SharedMeanwhile      4   others use a network that was to be deleted
    │   ├── AzureUnavailable         4   no usable response; the same request may be sent again
    │   │   └── ForeignAnswer        4   a response names a foreign host; not retried
    │   ├── QuotaExceeded            5   raise the quota
    │   └── CapacityUnavailable      6   try another zone, region, or time
    ├── StateUnusable                4   the state folder cannot be read or written
    ├── CopyFailed                   4   a file could not be copied into or out of the VM
    ├── ModelUnavailable             4   a model could not be looked up, or is not as it is listed
    ├── ImageNotBuilt                4   an image's packages are not to be had, or its build failed
    ├── LeftBehind                   7   created resources still exist, or may still exist
    │   └── RemovalDenied            4   because a permission is missing
    ├── EvidenceUnavailable          8   no verdict: evidence or collateral is missing
    ├── EvidenceRejected             9   a check of the evidence failed
    │   ├── HostKeyMismatch          9   the VM shows another SSH host key than the pinned one
    │   └── ImageRejected            9   a disk is no measured image, or not that of its manifest
    ├── GuestNotReady                10  the VM did not become ready
    │   ├── GuestUnreachable         10  no connection to the VM could be made
    │   ├── ConnectionLost           10  the connection ended before the command in the VM did
    │   ├── ReleaseFailed            10  the VM did not take, list or remove secrets
    │   └── WorkloadFailed           10  a workload in the VM could not be handled as asked
    ├── TimedOut                     11  the time limit passed
    └── Interrupted                  130 Ctrl-C or a signal
"""

from collections.abc import Sequence
from dataclasses import dataclass
from traceback import format_exception, format_exception_only
from typing import ClassVar, Literal

Presence = Literal["exists", "gone", "unknown"]


@dataclass(frozen=True, slots=True)
class Leftover:
    """A resource that an error reports: its ARM id, whether it exists, whether it is billed."""

    id: str
    state: Presence
    billed: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a file: its place (`path`, `line`, `column`; 1-based) and a message."""

    path: str
    message: str
    line: int | None = None
    column: int | None = None
    source: str | None = None


class CcgpuError(Exception):
    """Base class: `str(err)` is what happened, `hint` is at most one line on what to do."""

    exit_code: ClassVar[int] = 1
    code: str = "CcgpuError"
    correlation_id: str | None = None  # Azure's id of the request that it refused
    signed_in_with: str | None = None  # the credential that a refused request was signed with

    def __init__(
        self, message: str, *, hint: str | None = None, resources: Sequence[Leftover] = ()
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.resources = tuple(resources)
        self.code = type(self).__name__


class InternalError(CcgpuError):
    """A bug in ccgpu, with its traceback."""

    def __init__(self, message: str, *, traceback: str) -> None:
        super().__init__(message, hint="please report it, with the traceback")
        self.traceback = traceback

    @classmethod
    def of(cls, err: BaseException) -> "InternalError":
        """The error for an unexpected exception."""
        what = "".join(format_exception_only(err)).strip()
        return cls(f"a bug in ccgpu: {what}", traceback="".join(format_exception(err)))


class AnswerLost(CcgpuError):
    """The work is done, but its result could not be written to stdout (usually a full disk)."""


class UsageProblem(CcgpuError):
    """The command line is wrong, or leaves a choice that only the user can make."""

    exit_code: ClassVar[int] = 2


class InvalidFile(CcgpuError):
    """A spec or policy is refused, with all its problems in order."""

    exit_code: ClassVar[int] = 3

    def __init__(
        self, source: str, problems: Sequence[Problem], *, hint: str | None = None
    ) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"
        lines = [f"{source}: {count}", *(f"  {_problem_line(p, source)}" for p in self.problems)]
        super().__init__("\n".join(lines), hint=hint)


class ProgramMissing(CcgpuError):
    """A program that the command needs is not installed; nothing was begun."""

    exit_code: ClassVar[int] = 3


def _problem_line(problem: Problem, source: str) -> str:
    """A problem with its place; with its source if that is not the error's."""
    elsewhere = f"{problem.source}: " if problem.source not in (None, source) else ""
    place = f"{problem.line}:{problem.column}: " if problem.line is not None else ""
    path = f"{problem.path}: " if problem.path else ""
    return f"{elsewhere}{place}{path}{problem.message}"


class AzureRefused(CcgpuError):
    """Azure refused the request. `code` is ARM's error code; `after` is its Retry-After."""

    exit_code: ClassVar[int] = 4
    usual_hint: ClassVar[str | None] = None
    transient: ClassVar[bool] = False  # the same request may be sent again

    def __init__(
        self, message: str, *, code: str, after: float | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint or self.usual_hint)
        self.code = code
        self.after = after


class NotSignedIn(AzureRefused):
    """There is no token, or Azure does not accept it."""

    usual_hint: ClassVar[str | None] = "run `az login`, or set AZURE_CLIENT_ID and AZURE_TENANT_ID"


class SignInUnavailable(NotSignedIn):
    """The sign-in service could not be reached for now."""

    transient: ClassVar[bool] = True


class Denied(AzureRefused):
    """A permission is missing. Retries fail until it is granted."""


class NotFound(AzureRefused):
    """The resource does not exist."""


class AlreadyExists(AzureRefused):
    """A precondition (`If-None-Match`, `If-Match`) failed: plan again."""


class SharedMeanwhile(AlreadyExists):
    """Others have begun to use a network that was to be deleted."""


class AzureUnavailable(AzureRefused):
    """No usable response, or a request to retry later: the same request may be sent again."""

    usual_hint: ClassVar[str | None] = "run the same command again: it continues where it stopped"
    transient: ClassVar[bool] = True


class ForeignAnswer(AzureUnavailable):
    """A response names a host that is not Azure Resource Manager's: not retried."""

    transient: ClassVar[bool] = False


class QuotaExceeded(AzureRefused):
    """The subscription's quota is too small."""

    exit_code: ClassVar[int] = 5
    usual_hint: ClassVar[str | None] = (
        "`ccgpu quota` tells what to ask for; it is asked for in the Azure portal: "
        "https://portal.azure.com/#view/Microsoft_Azure_Capacity/QuotaMenuBlade/~/myQuotas"
    )


class CapacityUnavailable(AzureRefused):
    """Azure has no free machine of that size in the region or zone."""

    exit_code: ClassVar[int] = 6
    usual_hint: ClassVar[str | None] = (
        "try later, or add regions in order of preference: `--region R`"
    )


class StateUnusable(CcgpuError):
    """The state folder cannot be read or written, so nothing may be created."""

    exit_code: ClassVar[int] = 4


class CopyFailed(CcgpuError):
    """A file could not be read or written, here or in the VM. The connection worked."""

    exit_code: ClassVar[int] = 4


class ModelUnavailable(CcgpuError):
    """A model could not be looked up at huggingface.co, or its files are not those listed there."""

    exit_code: ClassVar[int] = 4


class ImageNotBuilt(CcgpuError):
    """A step of an image's build failed: its packages are not to be had, or a program failed."""

    exit_code: ClassVar[int] = 4


class LeftBehind(CcgpuError):
    """Created resources still exist, or their state is unknown. Outranks its cause.

    A create that was told to keep them ends with a refusal (4) or a wrong host key (9) itself.
    """

    exit_code: ClassVar[int] = 7


class RemovalDenied(LeftBehind):
    """Resources are left because a permission is missing; exit code 4, unlike `LeftBehind`'s 7."""

    exit_code: ClassVar[int] = 4


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


class TimedOut(CcgpuError):
    """The time limit passed."""

    exit_code: ClassVar[int] = 11


class Interrupted(CcgpuError):
    """Ctrl-C, or a signal that means the same."""

    exit_code: ClassVar[int] = 130
