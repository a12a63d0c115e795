"""A workload as `ccgpu ps` lists it: what the VM says, and what this machine remembers."""

from dataclasses import dataclass

from ccgpu.domain.workload_record import WorkloadRecord
from ccgpu.guest.workload_answers import GuestWorkload


@dataclass(frozen=True, slots=True)
class ListedWorkload:
    """A workload that runs, or has run, in the VM.

    seen: what the VM says; None if it was started in an earlier boot, whose end has stopped it.
    record: what this machine remembers; None if another one started it.
    """

    name: str
    seen: GuestWorkload | None
    record: WorkloadRecord | None
