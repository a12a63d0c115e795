"""The cache of collateral: one file per item, with a hash of its data.

A damaged entry counts as absent, and an entry that cannot be written is skipped. The cache is not
trusted more than the network: `attest` verifies what comes from it in the same way.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from ccgpu.collateral.item import CollateralItem, Payload
from ccgpu.domain.collateral import CollateralFile
from ccgpu.store import atomic, folders

_SCHEMA = "ccgpu.collateral-entry/1"
_HEADER_LIMIT = 4096
# Thousands of OCSP answers, or hundreds of manifests.
_SIZE = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CachedCollateral:
    """Collateral in the cache, and until when the cache may serve it (Unix time)."""

    collateral: CollateralFile
    fresh: float
    usable: float


class Cache:
    """A folder of entries: each is a header, one line of JSON, followed by the data."""

    def __init__(self, folder: Path, size: int = _SIZE) -> None:
        self._folder = folder
        self._size = size

    def get(self, item: CollateralItem) -> CachedCollateral | None:
        """The entry of an item, fresh or not; None if there is none, or it is damaged."""
        try:
            with self._entry_path(item.name).open("rb") as stream:
                header = json.loads(stream.readline(_HEADER_LIMIT))
                data = stream.read(item.limit + 1)
            return _parse_entry(item, header, data)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def put(self, collateral: CollateralFile, payload: Payload) -> None:
        """Write an entry, unless it is not fresh any more; then remove old entries."""
        if payload.fresh <= collateral.fetched:
            return
        header = {
            "schema": _SCHEMA,
            "name": collateral.name,
            "source": collateral.source,
            "fetched": collateral.fetched,
            "fresh": None if payload.fresh == inf else payload.fresh,
            "usable": None if payload.usable == inf else payload.usable,
            "sha256": collateral.sha256,
        }
        with suppress(OSError):
            folders.make_private(self._folder)
            entry = json.dumps(header).encode() + b"\n" + collateral.data
            atomic.replace(self._entry_path(collateral.name), entry)
            self._remove_oldest()

    def _entry_path(self, name: str) -> Path:
        return self._folder / hashlib.sha256(name.encode()).hexdigest()

    def _remove_oldest(self) -> None:
        """Remove the oldest entries until the folder is no larger than allowed."""
        entries = [(entry, entry.stat()) for entry in self._folder.iterdir() if entry.is_file()]
        total = sum(status.st_size for _, status in entries)
        for entry, status in sorted(entries, key=lambda each: each[1].st_mtime_ns):
            if total <= self._size:
                break
            entry.unlink(missing_ok=True)
            total -= status.st_size


def _parse_entry(item: CollateralItem, header: Any, data: bytes) -> CachedCollateral | None:
    if header["schema"] != _SCHEMA or header["name"] != item.name or len(data) > item.limit:
        return None
    if hashlib.sha256(data).hexdigest() != header["sha256"]:
        return None
    collateral = CollateralFile(item.name, data, str(header["source"]), float(header["fetched"]))
    return CachedCollateral(collateral, _parse_time(header["fresh"]), _parse_time(header["usable"]))


def _parse_time(value: Any) -> float:
    return inf if value is None else float(value)
