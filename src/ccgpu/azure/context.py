"""What every workflow is handed: one subscription, the scheduler, and where its journals are."""

from dataclasses import dataclass

from ccgpu.azure.arm import Arm
from ccgpu.azure.queries import Queries
from ccgpu.azure.session import Session
from ccgpu.scheduling.scheduler import Scheduler
from ccgpu.store.journals import Journals


@dataclass(frozen=True, slots=True)
class AzureContext:
    """Azure, or the simulated one. `simulated` only says so to people; nothing depends on it."""

    session: Session
    arm: Arm
    queries: Queries
    scheduler: Scheduler
    journals: Journals
    simulated: bool = False

    @property
    def subscription(self) -> str:
        """The subscription that is worked in."""
        return self.session.subscription

    def now(self) -> float:
        """The scheduler's time."""
        return self.scheduler.clock.now()
