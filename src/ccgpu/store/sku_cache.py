"""Offers of a VM size, as Azure's list of sizes had them. They are used for an hour.

The list of all regions takes Azure half a minute. A damaged entry counts as absent, and one that
cannot be written is skipped.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ccgpu.domain.capacity import Offer, SizeOffers
from ccgpu.store import atomic, folders

LIFETIME = 3600.0  # seconds; restrictions change by the day, offers by the month
_SCHEMA = "ccgpu.skus/1"
_LIMIT = 1024 * 1024  # bytes of one entry


@dataclass(frozen=True, slots=True)
class SkuCache:
    """A folder with a file for each question; None for no cache.

    scope: cloud and subscription: what is offered depends on both.
    """

    folder: Path | None
    scope: str

    def get(self, size: str, region: str | None, now: float) -> SizeOffers | None:
        """The offers of a size in a region (None: in all), unless they are older than an hour."""
        if self.folder is None:
            return None
        try:
            with self._path(self.folder, size, region).open("rb") as stream:
                entry = json.loads(stream.read(_LIMIT))
            if entry["schema"] != _SCHEMA or not 0 <= now - float(entry["at"]) <= LIFETIME:
                return None
            offers = {str(where): _parse_offer(one) for where, one in entry["offers"].items()}
            return SizeOffers(frozenset(map(str, entry["known"])), offers)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def put(self, size: str, region: str | None, offers: SizeOffers, now: float) -> None:
        """Keep an answer, unless it is empty: that says nothing."""
        if self.folder is None or not offers.known:
            return
        entry = {
            "schema": _SCHEMA,
            "at": now,
            "known": sorted(offers.known),
            "offers": {where: asdict(one) for where, one in offers.offers.items()},
        }
        with suppress(OSError):
            folders.make_private(self.folder)
            atomic.replace(self._path(self.folder, size, region), json.dumps(entry).encode())

    def _path(self, folder: Path, size: str, region: str | None) -> Path:
        key = "\n".join((self.scope, size.casefold(), region or ""))
        return folder / hashlib.sha256(key.encode()).hexdigest()


def _parse_offer(document: dict[str, Any]) -> Offer:
    return Offer(**{**document, "zones": tuple(document["zones"])})
