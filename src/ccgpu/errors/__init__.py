"""The errors that `ccgpu` raises on purpose, with their exit codes.

The tree is part of the public interface. Only `cli/main.py` prints an error and exits. An exception
that is not in this tree is a bug: it becomes an `InternalError` with its traceback. The classes are
in modules by subject; everybody imports them from here.

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

from ccgpu.errors.azure import (
    AlreadyExists,
    AzureRefused,
    AzureUnavailable,
    CapacityUnavailable,
    Denied,
    ForeignAnswer,
    LeftBehind,
    NotFound,
    NotSignedIn,
    QuotaExceeded,
    RemovalDenied,
    SharedMeanwhile,
    SignInUnavailable,
)
from ccgpu.errors.base import (
    AnswerLost,
    CcgpuError,
    InternalError,
    Interrupted,
    Leftover,
    Presence,
    StateUnusable,
    TimedOut,
)
from ccgpu.errors.given import (
    InvalidFile,
    Problem,
    ProgramMissing,
    UsageProblem,
)
from ccgpu.errors.guest import (
    ConnectionLost,
    CopyFailed,
    EvidenceRejected,
    EvidenceUnavailable,
    GuestNotReady,
    GuestUnreachable,
    HostKeyMismatch,
    ImageRejected,
    ReleaseFailed,
    WorkloadFailed,
)
from ccgpu.errors.supplies import (
    ImageNotBuilt,
    ModelUnavailable,
)

__all__ = [
    "AlreadyExists",
    "AnswerLost",
    "AzureRefused",
    "AzureUnavailable",
    "CapacityUnavailable",
    "CcgpuError",
    "ConnectionLost",
    "CopyFailed",
    "Denied",
    "EvidenceRejected",
    "EvidenceUnavailable",
    "ForeignAnswer",
    "GuestNotReady",
    "GuestUnreachable",
    "HostKeyMismatch",
    "ImageNotBuilt",
    "ImageRejected",
    "InternalError",
    "Interrupted",
    "InvalidFile",
    "LeftBehind",
    "Leftover",
    "ModelUnavailable",
    "NotFound",
    "NotSignedIn",
    "Presence",
    "Problem",
    "ProgramMissing",
    "QuotaExceeded",
    "ReleaseFailed",
    "RemovalDenied",
    "SharedMeanwhile",
    "SignInUnavailable",
    "StateUnusable",
    "TimedOut",
    "UsageProblem",
    "WorkloadFailed",
]
