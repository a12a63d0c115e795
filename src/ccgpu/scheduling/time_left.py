"""How long the request that this thread is making may still take.

The scheduler sets it for each call with a deadline; whatever waits inside of a request (a socket, a
program) takes no longer. It is a context variable, because the SDK between has no argument for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf

from ccgpu.scheduling.clock import Clock

_until: ContextVar[tuple[Clock, float] | None] = ContextVar("until", default=None)


def seconds_left() -> float:
    """Seconds that the request under way may still take; 0 if none, infinite without a limit."""
    limit = _until.get()
    return inf if limit is None else max(0.0, limit[1] - limit[0].now())


@contextmanager
def ending_at(clock: Clock, end: float) -> Iterator[None]:
    """A request that ends by `end`, a Unix time of `clock`."""
    token = _until.set((clock, end))
    try:
        yield
    finally:
        _until.reset(token)
