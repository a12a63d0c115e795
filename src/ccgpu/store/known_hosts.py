"""The SSH host keys of deployments' VMs, one file for each deployment, beside its journal.

A key belongs to one VM, so it is recorded with the vmId: a VM made anew under the same name has
another one. It is recorded once. After that only an attested key may take its place, whatever the
console or the network shows.
"""

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from ccgpu.domain import hostkey
from ccgpu.domain.known_host import HostKeySource, KnownHostKey
from ccgpu.errors import HostKeyMismatch
from ccgpu.store import small_records

SCHEMA = "ccgpu.host-key/1"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class KnownHosts:
    """The records in `folder`, which has one folder for each subscription."""

    folder: Path

    def find(self, subscription: str, deployment: str, vm_id: str) -> KnownHostKey | None:
        """The key of this VM; None if this machine has none for its vmId.

        Raises:
            StateUnusable: the record cannot be read, or is damaged. It is not ignored: another
                key could then be taken for the VM's.
        """
        path = self._path(subscription, deployment)
        record = small_records.read(path, "the host key", _parse)
        return record if record is not None and record.vm_id == vm_id else None

    def record(self, subscription: str, deployment: str, known: KnownHostKey) -> None:
        """Record the key of a VM durably.

        Raises:
            HostKeyMismatch: another key is recorded for this VM, and the new one is not attested.
            StateUnusable: it cannot be written.
        """
        before = self.find(subscription, deployment, known.vm_id)
        if before is not None and known.source != "attested":
            if before.blob != known.blob:
                raise HostKeyMismatch(
                    f"another host key is recorded for {deployment}: "
                    f"{hostkey.fingerprint(hostkey.sha256(before.blob))}"
                )
            return
        document = {
            "schema": SCHEMA,
            "vm_id": known.vm_id,
            "host_key": f"ssh-ed25519 {base64.b64encode(known.blob).decode('ascii')}",
            "source": known.source,
            "recorded_at": known.recorded_at,
        }
        small_records.write(self._path(subscription, deployment), "the host key", document)

    def forget(self, subscription: str, deployment: str) -> None:
        """Remove the record: the VM is deleted."""
        small_records.remove(self._path(subscription, deployment), "the host key")

    def _path(self, subscription: str, deployment: str) -> Path:
        return self.folder / subscription / f"{deployment}.hostkey"


def _parse(raw: bytes) -> KnownHostKey:
    document: dict[str, Any] = json.loads(raw)
    if document["schema"] != SCHEMA:
        raise ValueError("its schema is unknown")
    vm_id, source = document["vm_id"], document["source"]
    if not _GUID.fullmatch(vm_id):
        raise ValueError("vm_id is no GUID")
    if source not in get_args(HostKeySource):
        raise ValueError("its source is unknown")
    blob = hostkey.parse(document["host_key"].encode("ascii"))
    return KnownHostKey(vm_id, blob, source, str(document["recorded_at"]))
