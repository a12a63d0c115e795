"""What is wanted: whom to ask for it, how an answer is read, and how long it may be kept.

Reading keeps mix-ups out (an answer to another question, a truncated file); it proves nothing.
Whether collateral is believed is for `attest`, each time anew.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import inf

from ccgpu.net.fetch import Ask

_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Found:
    """What an answer held. Kept without asking again until `fresh`; of use at all until `usable`.

    Both are Unix time.
    """

    data: bytes
    fresh: float = inf
    usable: float = inf


@dataclass(frozen=True, slots=True)
class Want:
    """One piece of collateral.

    `name` is its path in a folder of collateral, and what the cache knows it by. `what`: for
    people. `asks`: in order of preference. `read` takes an answer and the time it came; it raises
    `NoAnswer` for one that is none. `keep`: whether one from the cache will do.
    """

    name: str
    what: str
    limit: int
    asks: tuple[Ask, ...]
    read: Callable[[bytes, float], Found]
    keep: bool = True


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of collateral that was had: from where and when (Unix time), be it out of a cache."""

    name: str
    data: bytes
    source: str
    fetched: float

    @property
    def sha256(self) -> str:
        """Its hash, in hex."""
        return hashlib.sha256(self.data).hexdigest()


def until(data: bytes, now: float, next_update: datetime | None) -> Found:
    """What its signer says to renew at `next_update`: asked for again within a day even so.

    Without one there may be news at any time (RFC 6960, section 4.2.2.1): never kept.
    """
    end = now if next_update is None else next_update.timestamp()
    return Found(data, fresh=min(end, now + _DAY), usable=end)


def within_a_day(data: bytes, now: float) -> Found:
    """What has no end of its own, but may be published anew under the same name."""
    return Found(data, fresh=now + _DAY)
