"""Virtual time. It is part of the fake's state, and all who use that state share it.

It only moves forward, under the state's lock, when somebody waits on it.
"""

from datetime import UTC, datetime

from ccgpu.fakearm.store import Store

START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def arm_time(moment: float) -> str:
    """Unix seconds in the format of ARM's timestamps."""
    return datetime.fromtimestamp(moment, UTC).isoformat()


def utc_time(moment: float) -> str:
    """Unix seconds in the format of ccgpu's own documents: RFC 3339 with Z."""
    return arm_time(moment).replace("+00:00", "Z")


class VirtualClock:
    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> float:
        """Unix seconds."""
        return float(self._store.row("SELECT now FROM world")[0])

    def wall(self) -> float:
        """The same: nothing is suspended."""
        return self.now()

    def sleep(self, seconds: float) -> None:
        """Advance to at least `seconds` after the call. Nothing waits in real time."""
        until = self.now() + max(0.0, seconds)
        with self._store.transaction():
            self._store.run("UPDATE world SET now = max(now, ?)", until)
