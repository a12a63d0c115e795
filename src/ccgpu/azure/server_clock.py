"""What time it is at Azure Resource Manager, whatever this machine's clock says.

Leases are written and judged by it.
"""

from ccgpu.errors import AzureRefused
from ccgpu.net.dates import ServerDate
from ccgpu.scheduling.clock import Clock


class ServerClock:
    """This machine's clock, corrected by the `Date` of ARM's latest answer."""

    def __init__(self, clock: Clock, dates: ServerDate) -> None:
        self._clock = clock
        self._dates = dates
        self._ahead: float | None = None  # ARM's clock less ours, in seconds

    def observe(self) -> None:
        """Compare our clock with the answer that has just come."""
        date = self._dates.take()
        if date is not None:
            self._ahead = date - self._clock.now()

    def time(self) -> float | None:
        """Unix time at ARM; None before an answer has said it."""
        return None if self._ahead is None else self._clock.now() + self._ahead

    def now(self) -> float:
        """Unix time at ARM; raises `AzureRefused` (`NoDate`) before an answer has said it."""
        now = self.time()
        if now is None:
            raise AzureRefused(
                "Azure's responses have no Date header",
                code="NoDate",
                hint="leases use Azure's clock; check whether a proxy removes the header",
            )
        return now
