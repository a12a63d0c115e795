"""Records of the challenges that this machine sent, one file for each nonce.

`attest` writes a record before it sends the challenge. `verify` looks it up by the nonce in the
evidence, and takes the expected nonce, vmId and host key from it. A damaged record is an error:
ignoring it would weaken the verdict.

The number of records is bounded: the oldest are removed, but for the newest of each VM. Whoever
verifies evidence whose record is gone names nonce, vmId and host key; until then it is refused.
"""

import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ccgpu.domain import hostkey
from ccgpu.domain.challenge import ChallengeRecord
from ccgpu.domain.moments import in_utc
from ccgpu.errors import StateUnusable
from ccgpu.store import atomic, folders, own_files
from ccgpu.store.documents import reason

SCHEMA = "ccgpu.challenge/1"
# One VM that is attested each hour makes 8,760 records in a year, of 4 KiB on disk each.
MOST, KEPT = 10_000, 9_000
_MAX_BYTES = 4096
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Challenges:
    """The records in `folder`, a part of the state folder.

    most, kept: beyond `most` records, the oldest are removed until `kept` are left.
    """

    folder: Path
    most: int = MOST
    kept: int = KEPT

    def write(self, record: ChallengeRecord) -> None:
        """Write a record durably, before the challenge is sent.

        Raises:
            StateUnusable: It cannot be written, or the nonce was sent before.
        """
        document = {
            "schema": SCHEMA,
            "nonce": record.nonce.hex(),
            "vm_id": None if record.vm_id is None else record.vm_id.lower(),
            "host_key": record.host_key.hex(),
            "sent_at": record.sent_at.isoformat(),
        }
        path = self._path(record.nonce)
        try:
            folders.make_private(self.folder)
            atomic.create(path, (json.dumps(document, indent=1) + "\n").encode())
        except OSError as err:
            raise StateUnusable(
                f"cannot record the challenge in {path}: {reason(err)}",
                hint="free disk space or fix the permissions",
            ) from err
        with suppress(OSError):  # the challenge is recorded; the next one tries again
            self._remove_oldest(path)

    def _remove_oldest(self, written: Path) -> None:
        """Remove the oldest records if there are too many. A damaged one stays, and `written`."""
        with os.scandir(self.folder) as entries:
            files = [entry for entry in entries if entry.name.endswith(".json")]
        if len(files) <= self.most:
            return
        newest_first = sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True)
        known: set[str] = set()
        for number, file in enumerate(newest_first):
            vm_id = _vm_id(Path(file.path))
            if number >= self.kept and vm_id in known and file.name != written.name:
                Path(file.path).unlink(missing_ok=True)
            if vm_id is not None:
                known.add(vm_id)

    def find(self, nonce: bytes) -> ChallengeRecord | None:
        """The record with this nonce; None if this machine sent no such challenge.

        Raises:
            StateUnusable: The record cannot be read, is damaged, or may be of others.
        """
        path = self._path(nonce)
        raw = own_files.read(path, "the challenge", _MAX_BYTES + 1)
        if raw is None:
            return None
        try:
            return _parse(raw, nonce)
        except (ValueError, KeyError, TypeError, RecursionError) as err:
            raise StateUnusable(
                f"the challenge {path} is damaged: {err}",
                hint="give `--nonce`, `--vm-id` and `--host-key`, or move the file away",
            ) from err

    def is_earlier(self, nonce: bytes | None, asked: bytes | None) -> bool:
        """Whether `nonce` is another one than `asked`, and was sent by this machine."""
        if nonce is None or asked is None or nonce == asked:
            return False
        return self._path(nonce).exists()

    def _path(self, nonce: bytes) -> Path:
        return self.folder / f"{hashlib.sha256(nonce).hexdigest()}.json"


def _vm_id(path: Path) -> str | None:
    """The VM that a record is of; None if the record is damaged."""
    try:
        document = json.loads(path.read_bytes())
        return str(document["vm_id"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _parse(raw: bytes, nonce: bytes) -> ChallengeRecord:
    if len(raw) > _MAX_BYTES:
        raise ValueError(f"it has more than {_MAX_BYTES} bytes")
    document: dict[str, Any] = json.loads(raw)
    if document["schema"] != SCHEMA:
        raise ValueError("its schema is unknown")
    if bytes.fromhex(document["nonce"]) != nonce:
        raise ValueError("it is of another nonce")
    if document["vm_id"] is not None and not _GUID.fullmatch(document["vm_id"]):
        raise ValueError("vm_id is no GUID")
    sent_at = datetime.fromisoformat(document["sent_at"])
    if sent_at.tzinfo is None:
        raise ValueError("sent_at has no time zone")
    host_key = hostkey.parse(bytes.fromhex(document["host_key"]))
    return ChallengeRecord(nonce, document["vm_id"], host_key, in_utc(sent_at))
