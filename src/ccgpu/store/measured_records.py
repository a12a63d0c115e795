"""What measured image a deployment was created from, beside its journal: a record, and the config.

Written before the VM's PUT, so that a VM that may exist is never held to less. The config has a
file of its own, byte for byte as the VM gets it; it holds no secret.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccgpu.domain.guest_config import CONFIG_LIMIT
from ccgpu.domain.measured_record import MeasuredRecord
from ccgpu.errors import StateUnusable
from ccgpu.store import atomic, small_records
from ccgpu.store.documents import reason

SCHEMA = "ccgpu.measured-deployment/1"
_WHAT, _CONFIG = "the measured image of the deployment", "the config of the VM"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class MeasuredRecords:
    """The records in `folder`, which has one folder for each subscription."""

    folder: Path

    def find(self, subscription: str, deployment: str) -> MeasuredRecord | None:
        """What was recorded; None if the deployment is of no measured image.

        Raises:
            StateUnusable: It cannot be read, or is damaged: the VM would be held to less.
        """
        found = small_records.read(self._path(subscription, deployment), _WHAT, _parse)
        if found is None:
            return None
        path = self.config_file(subscription, deployment)
        config = _read_config(path)
        if hashlib.sha256(config).hexdigest() != found[2]:
            raise StateUnusable(
                f"{_CONFIG} in {path} is damaged: it does not have the recorded SHA-256",
                hint="delete the deployment, and create it again",
            )
        return MeasuredRecord(found[0], found[1], config, found[2], str(path))

    def record(self, subscription: str, deployment: str, record: MeasuredRecord) -> None:
        """Record it durably, the config first."""
        path = self.config_file(subscription, deployment)
        small_records.make_folder(path, _CONFIG)
        try:
            atomic.replace(path, record.config)
        except OSError as err:
            raise StateUnusable(f"cannot write {_CONFIG} in {path}: {reason(err)}") from err
        document = {
            "schema": SCHEMA,
            "manifest": record.manifest,
            "manifest_sha256": record.manifest_sha256,
            "config_sha256": record.config_sha256,
        }
        small_records.write(self._path(subscription, deployment), _WHAT, document)

    def forget(self, subscription: str, deployment: str) -> None:
        """Remove the record: the VM is deleted, or is made anew from another image."""
        small_records.remove(self._path(subscription, deployment), _WHAT)
        small_records.remove(self.config_file(subscription, deployment), _CONFIG)

    def config_file(self, subscription: str, deployment: str) -> Path:
        """Where the config of a deployment is kept."""
        return self.folder / subscription / f"{deployment}.guest-config"

    def _path(self, subscription: str, deployment: str) -> Path:
        return self.folder / subscription / f"{deployment}.image"


def _read_config(path: Path) -> bytes:
    """The config, empty if there is none; it may be longer than a small record."""
    try:
        with path.open("rb") as stream:
            return stream.read(CONFIG_LIMIT + 1)
    except FileNotFoundError:
        return b""
    except OSError as err:
        raise StateUnusable(f"cannot read {_CONFIG} in {path}: {reason(err)}") from err


def _parse(raw: bytes) -> tuple[str, str, str]:
    document: dict[str, Any] = json.loads(raw)
    if document["schema"] != SCHEMA:
        raise ValueError("its schema is unknown")
    manifest, *digests = (
        document[name] for name in ("manifest", "manifest_sha256", "config_sha256")
    )
    if not isinstance(manifest, str) or not all(map(_SHA256.fullmatch, digests)):
        raise ValueError("its path or one of its digests is none")
    return manifest, digests[0], digests[1]
