"""What a garbage collection has found, and has done about it: one value a deployment."""

from dataclasses import dataclass
from typing import Literal

from ccgpu.domain.lease import Lease, Why
from ccgpu.domain.resource import ResourceId
from ccgpu.errors import Denied, Leftover


@dataclass(frozen=True, slots=True)
class Collected:
    """One deployment that is over, or looked like it: what was done, and why, or why not.

    `resources`: what went, or would go. `left`: where something failed, what may be there.
    `denied`: a right that was missing, though all of it may be gone.
    """

    name: str
    group: str
    why: Why | None
    lease: Lease
    action: Literal["removed", "would-remove", "skipped", "failed"]
    resources: tuple[ResourceId, ...] = ()
    reason: str | None = None
    left: tuple[Leftover, ...] = ()
    denied: Denied | None = None
