"""An item of collateral to fetch: its requests, and how a response is parsed and cached.

Parsing detects accidents, such as a response to another request or a truncated file. It verifies no
signature: `attest` verifies collateral each time it is used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import inf

from ccgpu.net.fetch import HttpRequestSpec

_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Payload:
    """The data in a response, and how long the cache may serve it (Unix times).

    fresh: until then without a request. usable: until then if no source answers.
    """

    data: bytes
    fresh: float = inf
    usable: float = inf


@dataclass(frozen=True, slots=True)
class CollateralItem:
    """One item of collateral to fetch.

    Args:
        name: Its path in a folder of collateral, and its key in the cache.
        what: Its description for people.
        limit: The maximum size of its data.
        requests: The requests to try, in order of preference.
        parse: Parses a response and the time it was received; raises `NoAnswer` if it is unusable.
        cached: Whether the cache may store it.
    """

    name: str
    what: str
    limit: int
    requests: tuple[HttpRequestSpec, ...]
    parse: Callable[[bytes, float], Payload]
    cached: bool = True


def payload_until(data: bytes, now: float, next_update: datetime | None) -> Payload:
    """Data that expires at `next_update`; it is fetched again after at most a day.

    Without `next_update`, newer data may always be available (RFC 6960, section 4.2.2.1), so the
    data is not cached.
    """
    end = now if next_update is None else next_update.timestamp()
    return Payload(data, fresh=min(end, now + _DAY), usable=end)


def payload_for_a_day(data: bytes, now: float) -> Payload:
    """Data that does not expire, but may be replaced under the same name."""
    return Payload(data, fresh=now + _DAY)
