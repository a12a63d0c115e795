"""The clock of Azure Resource Manager, by which leases are written and assessed.

It does not depend on whether this machine's clock is right.
"""

from ccgpu.errors import AzureRefused
from ccgpu.net.dates import ServerDate
from ccgpu.scheduling.clock import Clock


class ServerClock:
    """This machine's clock, corrected by the `Date` of ARM's latest response."""

    def __init__(self, clock: Clock, dates: ServerDate) -> None:
        self._clock = clock
        self._dates = dates
        self._ahead: float | None = None  # ARM's clock minus this machine's, in seconds

    def observe(self) -> None:
        """Compare this machine's clock with the `Date` of the response just received."""
        date = self._dates.take()
        if date is not None:
            self._ahead = date - self._clock.now()

    def time(self) -> float | None:
        """Unix time at ARM; None before the first response with a `Date`."""
        return None if self._ahead is None else self._clock.now() + self._ahead

    def now(self) -> float:
        """Unix time at ARM; raises `AzureRefused` (`NoDate`) before a response with a `Date`."""
        now = self.time()
        if now is None:
            raise AzureRefused(
                "Azure's responses have no Date header",
                code="NoDate",
                hint="leases use Azure's clock; check whether a proxy removes the header",
            )
        return now
