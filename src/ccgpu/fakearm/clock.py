"""Virtual time, kept in the fake's state and shared by all who use that state.

It only moves forward, under the state's lock, and only when someone waits on it.
"""

from datetime import UTC, datetime

from ccgpu.fakearm.store import Store

START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def arm_time(moment: float) -> str:
    """Unix seconds, as ARM writes times."""
    return datetime.fromtimestamp(moment, UTC).isoformat()


class VirtualClock:
    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> float:
        """Unix seconds."""
        return float(self._store.row("SELECT now FROM world")[0])

    def sleep(self, seconds: float) -> None:
        """Let it be at least `seconds` later than when this was called; nothing really waits."""
        until = self.now() + max(0.0, seconds)
        with self._store.transaction():
            self._store.run("UPDATE world SET now = max(now, ?)", until)
