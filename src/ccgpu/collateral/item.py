"""One piece of collateral to fetch: the requests to send, and how an answer is parsed and cached.

Parsing keeps mix-ups out (an answer to another question, a truncated file). It proves nothing:
`attest` verifies collateral each time it is used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import inf

from ccgpu.net.fetch import HttpRequestSpec

_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Payload:
    """The data in an answer, and until when a cache may serve it (Unix time).

    Until `fresh` without a request, until `usable` where no source answers.
    """

    data: bytes
    fresh: float = inf
    usable: float = inf


@dataclass(frozen=True, slots=True)
class CollateralItem:
    """One piece of collateral to fetch.

    Args:
        name: Its path in a folder of collateral, and its key in the cache.
        what: Its description for people.
        limit: The size of its data, at most.
        requests: The requests to try, in order of preference.
        parse: Makes the payload of an answer and the time it came; raises `NoAnswer` if it cannot.
        cached: Whether the cache may serve and keep it.
    """

    name: str
    what: str
    limit: int
    requests: tuple[HttpRequestSpec, ...]
    parse: Callable[[bytes, float], Payload]
    cached: bool = True


def payload_until(data: bytes, now: float, next_update: datetime | None) -> Payload:
    """Data that its signer renews at `next_update`. It is fetched again after a day at most.

    Without `next_update` there may be news at any time (RFC 6960, section 4.2.2.1): not cached.
    """
    end = now if next_update is None else next_update.timestamp()
    return Payload(data, fresh=min(end, now + _DAY), usable=end)


def payload_for_a_day(data: bytes, now: float) -> Payload:
    """Data that does not expire, but may be published anew under the same name."""
    return Payload(data, fresh=now + _DAY)
