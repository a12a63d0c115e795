"""Pages of Azure's price list, as they were fetched. They are used for a day.

A damaged entry counts as absent, and an entry that cannot be written is skipped.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ccgpu.store import atomic, folders

LIFETIME = 24 * 3600.0  # seconds; prices change at the beginning of a month
_SCHEMA = "ccgpu.prices/1"
_LIMIT = 16 * 1024 * 1024  # bytes of one entry


@dataclass(frozen=True, slots=True)
class CachedPages:
    """The pages of one query, and when they were fetched (Unix time)."""

    pages: tuple[bytes, ...]
    fetched: float


class PriceCache:
    """A folder with a file for each query."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, query: str, now: float) -> CachedPages | None:
        """The pages of a query, unless they are older than a day, or of a time to come."""
        try:
            with self._path(query).open("rb") as stream:
                entry = json.loads(stream.read(_LIMIT))
            if entry["schema"] != _SCHEMA or entry["query"] != query:
                return None
            pages = tuple(str(page).encode() for page in entry["pages"])
            found = CachedPages(pages, float(entry["fetched"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return found if 0 <= now - found.fetched <= LIFETIME else None

    def put(self, query: str, pages: Sequence[bytes], now: float) -> None:
        """Keep the pages of a query."""
        with suppress(OSError, UnicodeDecodeError):
            texts = [page.decode() for page in pages]
            entry = {"schema": _SCHEMA, "query": query, "fetched": now, "pages": texts}
            folders.make_private(self._folder)
            atomic.replace(self._path(query), json.dumps(entry).encode())

    def _path(self, query: str) -> Path:
        return self._folder / hashlib.sha256(query.encode()).hexdigest()
