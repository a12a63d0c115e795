"""The workloads that this machine has started in each VM, beside the deployment's journal.

It holds no secret: names, numbers, and the section of the spec.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ccgpu.domain.workload_record import WorkloadRecord
from ccgpu.store import small_records

SCHEMA = "ccgpu.workloads/1"
_WHAT = "the workloads of the VM"
_MOST = 8  # the latest ones: a record has 16 KiB at most


@dataclass(frozen=True, slots=True)
class WorkloadRecords:
    """The records in `folder`, which has one folder for each subscription."""

    folder: Path

    def find(self, subscription: str, deployment: str) -> Mapping[str, WorkloadRecord]:
        """The recorded workloads by name, the latest last.

        Raises:
            StateUnusable: The record cannot be read, or is damaged.
        """
        return small_records.read(self._path(subscription, deployment), _WHAT, _parse) or {}

    def record(self, subscription: str, deployment: str, workload: WorkloadRecord) -> None:
        """Record a workload durably; replaces the one of its name."""
        known = dict(self.find(subscription, deployment))
        known.pop(workload.name, None)
        self._write(subscription, deployment, [*known.values(), workload][-_MOST:])

    def forget(self, subscription: str, deployment: str, workload: str | None = None) -> None:
        """Remove a workload that was stopped; None: all, since the VM is deleted."""
        if workload is None:
            small_records.remove(self._path(subscription, deployment), _WHAT)
            return
        known = dict(self.find(subscription, deployment))
        if known.pop(workload, None) is not None:
            self._write(subscription, deployment, known.values())

    def _write(
        self, subscription: str, deployment: str, workloads: Iterable[WorkloadRecord]
    ) -> None:
        document = {"schema": SCHEMA, "workloads": [asdict(one) for one in workloads]}
        small_records.write(self._path(subscription, deployment), _WHAT, document)

    def _path(self, subscription: str, deployment: str) -> Path:
        return self.folder / subscription / f"{deployment}.workloads"


def _parse(raw: bytes) -> dict[str, WorkloadRecord]:
    document: dict[str, Any] = json.loads(raw)
    if document["schema"] != SCHEMA:
        raise ValueError("its schema is unknown")
    found = {}
    for one in document["workloads"]:
        record = WorkloadRecord(**one | {"ports": tuple(map(int, one["ports"]))})
        texts = (record.name, record.kind, record.boot_id, record.started_at)
        rightly = isinstance(record.section, dict) and isinstance(record.ended, bool)
        if not (rightly and all(isinstance(text, str) for text in texts)):
            raise TypeError("a value has another type")
        found[record.name] = record
    return found
