"""The simulated subscription as one request sees it: time, resources, references, new ids.

Ids compare without case and keep their first spelling. `now` is the virtual time, or the due time
of an operation that is being ended.
"""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ccgpu.fakearm.settings import Settings
from ccgpu.fakearm.storage import pages
from ccgpu.fakearm.store import Store
from ccgpu.fakearm.wire import Body

if TYPE_CHECKING:
    from ccgpu.fakearm.vm.inside import VmInside
    from ccgpu.fakearm.vm.measured import MeasureDisk


@dataclass(slots=True)
class StoredResource:
    """`body` is what GET returns. `internal_state` is what Azure knows and does not return."""

    id: str
    kind: str
    body: Body
    created: float
    internal_state: Body = field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.id.lower()

    @property
    def name(self) -> str:
        return self.id.rsplit("/", 1)[1]

    @property
    def group(self) -> str:
        return self.id.split("/")[4]

    @property
    def location(self) -> str:
        return str(self.body["location"])

    @property
    def properties(self) -> Body:
        properties: Body = self.body["properties"]
        return properties

    @property
    def state(self) -> str:
        return str(self.properties["provisioningState"])

    @state.setter
    def state(self, value: str) -> None:
        self.properties["provisioningState"] = value

    @property
    def settled(self) -> bool:
        """Whether no operation is changing it (the three terminal states of the RPC contract)."""
        return self.state in ("Succeeded", "Failed", "Canceled")


@dataclass(frozen=True, slots=True)
class Reference:
    """`source`, which is part of the resource `owner`, references `target` as its `role`."""

    target: str
    source: str
    owner: str
    role: str
    detail: str = ""


_COLUMNS = "id, kind, body, created, hidden"


def _from_row(row: Any) -> StoredResource:
    return StoredResource(row[0], row[1], json.loads(row[2]), row[3], json.loads(row[4]))


def _stored_group(resource: StoredResource) -> str:
    """The group that a resource is in; a group is in none."""
    return "" if resource.kind.endswith("/resourceGroups") else resource.group.lower()


class World:
    """`home` is the simulated subscription; `subscription` may be another one."""

    def __init__(
        self, store: Store, settings: Settings, subscription: str, *, home: str | None = None
    ) -> None:
        self.store = store
        self.settings = settings
        self.subscription = subscription
        self.home = home or subscription
        self.instant = False  # whether operations take no time
        self.inside: VmInside | None = None  # what runs in the VMs
        self.measure_disk: MeasureDisk | None = None  # what a VM's boot measures of an own disk
        self.now = 0.0
        self._serial = self._stored_serial = 0

    def begin_request(self) -> float:
        """Begin a request. Returns the virtual time."""
        now, serial, revision = self.store.row("SELECT now, serial, revision FROM world")
        self.settings.refresh(revision, now)
        self.now = now
        self._serial = self._stored_serial = serial
        return float(now)

    def end_request(self) -> None:
        """End a request: store the serial number of new ids."""
        if self._serial != self._stored_serial:
            self.store.run("UPDATE world SET serial = ?", self._serial)

    def new_hex(self, length: int = 32) -> str:
        """Unique hex digits. The same requests produce the same digits again."""
        self._serial += 1
        return hashlib.sha256(f"{self.subscription}/{self._serial}".encode()).hexdigest()[:length]

    def new_guid(self) -> str:
        return str(uuid.UUID(self.new_hex(), version=4))

    def find(self, id_: str) -> StoredResource | None:
        row = self.store.row(
            f"SELECT {_COLUMNS} FROM resources WHERE key = ?",  # noqa: S608  # a constant
            id_.lower(),
        )
        return _from_row(row) if row else None

    def require(self, id_: str) -> StoredResource:
        """The resource; an in-use check elsewhere guarantees that it exists."""
        found = self.find(id_)
        if found is None:
            raise LookupError(id_)
        return found

    def list_group(self, group: str) -> list[StoredResource]:
        return self._all("grp = ?", group.lower())

    def list_kind(self, kind: str, group: str | None = None) -> list[StoredResource]:
        if group is None:
            return self._all("kind = ?", kind)
        return self._all("kind = ? AND grp = ?", kind, group.lower())

    def list_all(self) -> list[StoredResource]:
        return self._all("1")

    def list_children(self, id_: str) -> list[StoredResource]:
        """The resources whose ids begin with this id."""
        return [
            _from_row(row)
            for row in self.store.rows(
                f"SELECT {_COLUMNS} FROM resources WHERE substr(key, 1, ?) = ? ORDER BY key",  # noqa: S608
                len(id_) + 1,
                f"{id_.lower()}/",
            )
        ]

    def select(
        self, rows: str, where: str, values: Sequence[str], limit: int
    ) -> list[StoredResource]:
        """The first resources of `rows`, a table or subquery, that match, in the order of keys."""
        found = self.store.rows(
            f"SELECT {_COLUMNS} FROM {rows} WHERE {where} ORDER BY key LIMIT ?",  # noqa: S608
            *values,
            limit,
        )
        return [_from_row(row) for row in found]

    def _all(self, where: str, *values: str) -> list[StoredResource]:
        rows = self.store.rows(
            f"SELECT {_COLUMNS} FROM resources WHERE {where} ORDER BY key",  # noqa: S608
            *values,
        )
        mine = f"/subscriptions/{self.subscription}/".lower()
        return [_from_row(row) for row in rows if row[0].lower().startswith(mine)]

    def save(self, resource: StoredResource) -> None:
        self._record_past(resource)
        self.store.run(
            "INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?, ?, ?, ?)",
            resource.key,
            resource.id,
            resource.kind,
            _stored_group(resource),
            resource.created,
            json.dumps(resource.body),
            json.dumps(resource.internal_state),
        )

    def remove(self, resource: StoredResource) -> None:
        """Delete the resource with its references, quota and bill."""
        self._record_past(resource)
        if self.settings.value("lag").get("lists", 0):
            self._record_deleted(resource)
        self.store.run("DELETE FROM resources WHERE key = ?", resource.key)
        self.store.run("DELETE FROM refs WHERE owner = ?", resource.key)
        self.store.run("DELETE FROM allocations WHERE vm = ?", resource.key)
        if vm_id := resource.body.get("properties", {}).get("vmId"):
            self.store.run("DELETE FROM guest_files WHERE vm = ?", vm_id)
            self.store.run("DELETE FROM guest_facts WHERE vm = ?", vm_id)
        self.stop_billing(resource)
        if content := resource.internal_state.get("content"):
            pages.release(self.store, content)

    def _record_past(self, resource: StoredResource) -> None:
        """Record what a VM has been until now: an index that lags behind still has that."""
        is_indexed = resource.kind.endswith("/virtualMachines")
        if is_indexed and self.settings.value("lag").get("graph", 0):
            self.store.run(
                "INSERT OR IGNORE INTO past SELECT key, id, kind, grp, created, body, hidden, ? "
                "FROM resources WHERE key = ?",
                self.now,
                resource.key,
            )

    def _record_deleted(self, resource: StoredResource) -> None:
        """Record the deletion: lists that lag behind still have the resource."""
        self.store.run(
            "INSERT INTO gone VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            resource.key,
            resource.id,
            resource.kind,
            _stored_group(resource),
            json.dumps(resource.body),
            resource.created,
            json.dumps(resource.internal_state),
            self.now,
        )

    def set_references(self, owner: StoredResource, refs: list[Reference]) -> None:
        """Replace all references of `owner` by `refs`."""
        self.store.run("DELETE FROM refs WHERE owner = ?", owner.key)
        self.store.run_many(
            "INSERT INTO refs VALUES (?, ?, ?, ?, ?)",
            [(ref.target.lower(), ref.source, owner.key, ref.role, ref.detail) for ref in refs],
        )

    def references_to(self, target: str, *roles: str) -> list[Reference]:
        rows = self.store.rows(
            "SELECT target, source, owner, role, detail FROM refs WHERE target = ? ORDER BY source",
            target.lower(),
        )
        return [ref for ref in (Reference(*row) for row in rows) if not roles or ref.role in roles]

    def reference_details(self, target: str, role: str) -> dict[str, str]:
        """The `detail` of each reference to `target`, by source."""
        rows = self.store.rows(
            "SELECT source, detail FROM refs WHERE target = ? AND role = ?", target.lower(), role
        )
        return dict(rows)

    def start_billing(self, resource: StoredResource) -> None:
        """Start the bill. A second call changes nothing."""
        open_ = "SELECT 1 FROM billing WHERE resource = ? AND until IS NULL"
        if not self.store.row(open_, resource.key):
            self.store.run("INSERT INTO billing VALUES (?, ?, NULL)", resource.key, self.now)

    def stop_billing(self, resource: StoredResource) -> None:
        self.store.run(
            "UPDATE billing SET until = ? WHERE resource = ? AND until IS NULL",
            self.now,
            resource.key,
        )

    def duration(self, *name: str) -> float:
        """The duration of an operation."""
        if self.instant:
            return 0.0
        return float(self.settings.value("durations", ".".join(name)))
