"""The result of a garbage collection for one deployment."""

from dataclasses import dataclass, replace
from typing import Literal

from ccgpu.domain.advice import own_hint
from ccgpu.domain.lease import Lease, Why
from ccgpu.domain.resource import ResourceId
from ccgpu.errors import CcgpuError, Denied, Leftover

CollectedAction = Literal["removed", "would-remove", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Collected:
    """A deployment that has expired or is orphaned, or only seemed so, and what gc did.

    why: Why it is to be deleted; None if it is not after all.
    resources: The resources that were deleted, or would be.
    reason: Why it was skipped, or failed.
    hint: What to do about that, if it is known.
    left: Resources that may still exist after a failure.
    denied: A permission that was missing.
    """

    name: str
    group: str
    why: Why | None
    lease: Lease
    action: CollectedAction
    resources: tuple[ResourceId, ...] = ()
    reason: str | None = None
    left: tuple[Leftover, ...] = ()
    denied: Denied | None = None
    hint: str | None = None

    def failed(self, err: CcgpuError) -> "Collected":
        """The same, not deleted because of this error."""
        missing = err if isinstance(err, Denied) else None
        text, hint = str(err), own_hint(err)
        return replace(self, action="failed", reason=text, hint=hint, denied=missing)
