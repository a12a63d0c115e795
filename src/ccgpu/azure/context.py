"""The context of every workflow: one subscription, a scheduler, and the journals."""

from dataclasses import dataclass

from ccgpu.azure.arm import Arm
from ccgpu.azure.queries import Queries
from ccgpu.azure.retail_prices import RetailPrices
from ccgpu.azure.session import Session
from ccgpu.scheduling.scheduler import Scheduler
from ccgpu.store.journals import Journals
from ccgpu.store.sku_cache import SkuCache


@dataclass(frozen=True, slots=True)
class AzureContext:
    """Azure or the simulated Azure.

    `simulated` is shown to people, and recorded evidence is judged by its own roots if it is true.
    No other decision uses it.
    """

    session: Session
    arm: Arm
    queries: Queries
    scheduler: Scheduler
    journals: Journals
    prices: RetailPrices
    skus: SkuCache
    simulated: bool = False

    @property
    def subscription(self) -> str:
        """The id of the subscription in which deployments are managed."""
        return self.session.subscription

    def now(self) -> float:
        """The scheduler's time."""
        return self.scheduler.clock.now()

    def wall(self) -> float:
        """The same, with the time that this machine was suspended: what recorded things age by."""
        return self.scheduler.clock.wall()
