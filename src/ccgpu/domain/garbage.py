"""The result of a garbage collection for one deployment."""

from dataclasses import dataclass
from typing import Literal

from ccgpu.domain.lease import Lease, Why
from ccgpu.domain.resource import ResourceId
from ccgpu.errors import Denied, Leftover

CollectedAction = Literal["removed", "would-remove", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Collected:
    """A deployment that has expired or is orphaned, or only seemed so, and what gc did.

    why: Why it is to be deleted; None if it is not after all.
    resources: The resources that were deleted, or would be.
    reason: Why it was skipped, or failed.
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
