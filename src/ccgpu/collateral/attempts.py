"""Whom to ask next for one thing, and when. The last is the vendor's own, and is asked on.

A mirror that is not there is left alone for the rest of the run: it would cost each request the
same wait again.
"""

from ccgpu.net.fetch import Ask, NoAnswer
from ccgpu.net.retry import retry_delay


class Attempts:
    """When each source may be asked next, in order of preference, and what it said last."""

    def __init__(self, asks: tuple[Ask, ...], absent: set[str], now: float) -> None:
        self._last = asks[-1]
        self._absent = absent
        self._said: dict[str, str] = {}
        self._failures = dict.fromkeys(asks, 0)
        there = [ask for ask in asks if ask is self._last or ask.host not in absent]
        self.due = dict.fromkeys(there, now)

    def next(self) -> Ask | None:
        """Whom to ask, the soonest first; None when nobody is left."""
        return min(self.due, key=lambda ask: self.due[ask], default=None)

    def failed(self, ask: Ask, err: NoAnswer, now: float) -> bool:
        """Note it; whether it may be asked again. A mirror that is not there is left alone."""
        self._failures[ask] += 1
        absent = err.silent and ask is not self._last
        if absent:
            self._absent.add(ask.host)
        if absent or not err.passing:
            self.over(ask, str(err))
            return False
        self._said[ask.host] = str(err)
        self.due[ask] = now + retry_delay(self._failures[ask], err.after)
        return True

    def over(self, ask: Ask, why: str) -> None:
        """It is not asked any more."""
        self._said[ask.host] = why
        del self.due[ask]

    def reasons(self) -> tuple[str, ...]:
        """What each said last."""
        return tuple(f"{host} {said}" for host, said in self._said.items())
