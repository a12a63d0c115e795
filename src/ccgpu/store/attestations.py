"""The last verdict on each deployment, and its evidence, beside the deployment's journal.

`NAME.attestation` has the verdict, `NAME.bundle` the evidence. Both are of this machine, which made
the verdict. They are never a tag, which the host could write.
"""

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ccgpu.domain import hostkey
from ccgpu.domain.attestation import AttestationRecord, RecordedVerdict
from ccgpu.domain.moments import in_utc
from ccgpu.store import bundles, small_records

if TYPE_CHECKING:
    from ccgpu.domain.bundle import EvidenceBundle

SCHEMA = "ccgpu.attestation/1"
_WHAT = "the last verdict"
_OTHER_TYPES = ("nonce", "host_key", "reasons")  # than texts, or None for a missing one
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Attestations:
    """The records in `folder`, which has one folder for each subscription."""

    folder: Path

    def find(self, subscription: str, deployment: str) -> AttestationRecord | None:
        """The last verdict; None if there is none, or it was forgotten.

        Raises:
            StateUnusable: The record cannot be read, or is damaged.
        """
        return small_records.read(self._path(subscription, deployment), _WHAT, _parse)

    def record(
        self,
        subscription: str,
        deployment: str,
        record: AttestationRecord,
        bundle: "EvidenceBundle",
    ) -> None:
        """Record a verdict and its evidence durably. In between, there is no verdict.

        Raises:
            StateUnusable: They cannot be written.
        """
        self.forget(subscription, deployment)
        document = asdict(record) | {
            "schema": SCHEMA,
            "nonce": record.nonce.hex(),
            "host_key": record.host_key.hex(),
            "reasons": list(record.reasons),
        }
        path = self._path(subscription, deployment)
        small_records.make_folder(path, _WHAT)
        bundles.replace(self.bundle(subscription, deployment), bundle)
        small_records.write(path, _WHAT, document)

    def forget(self, subscription: str, deployment: str) -> None:
        """Remove the verdict: its boot of the VM ends. The evidence stays, for an audit."""
        small_records.remove(self._path(subscription, deployment), _WHAT)

    def erase(self, subscription: str, deployment: str) -> None:
        """Remove the verdict and the evidence: the VM is deleted."""
        self.forget(subscription, deployment)
        small_records.remove(self.bundle(subscription, deployment), "the evidence")

    def bundle(self, subscription: str, deployment: str) -> Path:
        """The path of the evidence of the last verdict."""
        return self.folder / subscription / f"{deployment}.bundle"

    def _path(self, subscription: str, deployment: str) -> Path:
        return self.folder / subscription / f"{deployment}.attestation"


def _parse(raw: bytes) -> AttestationRecord:
    document: dict[str, Any] = json.loads(raw)
    if document.pop("schema") != SCHEMA:
        raise ValueError("its schema is unknown")
    if not _GUID.fullmatch(document["vm_id"]):
        raise ValueError("vm_id is no GUID")
    if document["verdict"] not in get_args(RecordedVerdict):
        raise ValueError("its verdict is unknown")
    _require_time(document["at"])
    if document["until"] is not None:
        _require_time(document["until"])
    texts = [value for name, value in document.items() if name not in _OTHER_TYPES]
    if not all(value is None or isinstance(value, str) for value in texts):
        raise TypeError("a value has another type")
    if not document["policy"] or not document["boot_id"]:
        raise ValueError("it names no policy, or no boot")
    nonce, key = (bytes.fromhex(document.pop(name)) for name in ("nonce", "host_key"))
    reasons = tuple(map(str, document.pop("reasons")))
    return AttestationRecord(**document, nonce=nonce, host_key=hostkey.parse(key), reasons=reasons)


def _require_time(text: str) -> None:
    """ValueError, or TypeError, unless it is a time with a zone that a verdict can be of."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    in_utc(time)
