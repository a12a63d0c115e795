"""How a deployment's VM is reached from this machine: what the user last said, beside its journal.

It holds no secret: names and paths.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccgpu.domain.access import Access
from ccgpu.store import small_records

SCHEMA = "ccgpu.access/1"
_WHAT = "the way to the VM"


@dataclass(frozen=True, slots=True)
class AccessRecords:
    """The records in `folder`, which has one folder for each subscription."""

    folder: Path

    def find(self, subscription: str, deployment: str) -> Access:
        """What was last recorded; the default if nothing was."""
        record = small_records.read(self._path(subscription, deployment), _WHAT, _parse)
        return record or Access()

    def record(self, subscription: str, deployment: str, access: Access) -> None:
        """Record it durably."""
        document = {
            "schema": SCHEMA,
            "jump": access.jump,
            "reachable": access.reachable,
            "identity": access.identity,
        }
        small_records.write(self._path(subscription, deployment), _WHAT, document)

    def forget(self, subscription: str, deployment: str) -> None:
        """Remove the record: the VM is deleted."""
        small_records.remove(self._path(subscription, deployment), _WHAT)

    def _path(self, subscription: str, deployment: str) -> Path:
        return self.folder / subscription / f"{deployment}.access"


def _parse(raw: bytes) -> Access:
    document: dict[str, Any] = json.loads(raw)
    if document["schema"] != SCHEMA:
        raise ValueError("its schema is unknown")
    jump, reachable, identity = (document[name] for name in ("jump", "reachable", "identity"))
    words = all(word is None or isinstance(word, str) for word in (jump, identity))
    if not words or not isinstance(reachable, bool):
        raise TypeError("a value has another type")
    return Access(jump, reachable, identity)
