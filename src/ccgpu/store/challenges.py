"""Records of the challenges that this machine sent, one file for each nonce.

`attest` writes a record before it sends the challenge. `verify` looks it up by the nonce in the
evidence, and takes the expected nonce, vmId and host key from it. A damaged record is an error:
ignoring it would weaken the verdict.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ccgpu.domain import hostkey
from ccgpu.domain.challenge import ChallengeRecord
from ccgpu.errors import StateUnusable
from ccgpu.store import atomic
from ccgpu.store.documents import reason

SCHEMA = "ccgpu.challenge/1"
_MAX_BYTES = 4096
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Challenges:
    """The records in `folder`, a part of the state folder."""

    folder: Path

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
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic.create(path, (json.dumps(document, indent=1) + "\n").encode())
        except OSError as err:
            raise StateUnusable(
                f"cannot record the challenge in {path}: {reason(err)}",
                hint="free disk space or fix the permissions",
            ) from err

    def find(self, nonce: bytes) -> ChallengeRecord | None:
        """The record with this nonce; None if this machine sent no such challenge.

        Raises:
            StateUnusable: The record cannot be read, or is damaged.
        """
        path = self._path(nonce)
        try:
            with path.open("rb") as stream:
                raw = stream.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as err:
            raise StateUnusable(f"cannot read the challenge {path}: {reason(err)}") from err
        try:
            return _parse(raw, nonce)
        except (ValueError, KeyError, TypeError, RecursionError) as err:
            raise StateUnusable(
                f"the challenge {path} is damaged: {err}",
                hint="give `--nonce`, `--vm-id` and `--host-key`, or move the file away",
            ) from err

    def _path(self, nonce: bytes) -> Path:
        return self.folder / f"{hashlib.sha256(nonce).hexdigest()}.json"


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
    return ChallengeRecord(nonce, document["vm_id"], host_key, sent_at)
