"""The simulated subscription as one request sees it: a time, resources, references, new ids.

Ids compare without case and keep the case they were first written in. `at` is the moment that is
being played: the clock's now, or the due time of an operation that is being settled.
"""

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from ccgpu.fakearm.settings import Settings
from ccgpu.fakearm.store import Store
from ccgpu.fakearm.wire import Body


@dataclass(slots=True)
class StoredResource:
    """`body` is what GET answers; `hidden` is what Azure knows and does not tell."""

    id: str
    kind: str
    body: Body
    created: float
    hidden: Body = field(default_factory=dict)

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
    """`source` (of resource `owner`) points to `target`, as its `role`."""

    target: str
    source: str
    owner: str
    role: str
    detail: str = ""


_COLUMNS = "id, kind, body, created, hidden"


def _from_row(row: Any) -> StoredResource:
    return StoredResource(row[0], row[1], json.loads(row[2]), row[3], json.loads(row[4]))


class World:
    """`home` is the simulated subscription; `subscription` may be another one that it knows of."""

    def __init__(
        self, store: Store, settings: Settings, subscription: str, *, home: str | None = None
    ) -> None:
        self.store = store
        self.settings = settings
        self.subscription = subscription
        self.home = home or subscription
        self.instant = False  # whether operations take no time
        self.at = 0.0
        self._serial = self._stored_serial = 0

    def enter(self) -> float:
        """Begin a request: read the clock; answers the time."""
        now, serial, revision = self.store.row("SELECT now, serial, revision FROM world")
        self.settings.refresh(revision)
        self.at = now
        self._serial = self._stored_serial = serial
        return float(now)

    def leave(self) -> None:
        """End a request: keep what the next ids are made of."""
        if self._serial != self._stored_serial:
            self.store.run("UPDATE world SET serial = ?", self._serial)

    def digest(self, length: int = 32) -> str:
        """Hex digits that no one has had before, and the same ones when all is repeated."""
        self._serial += 1
        return hashlib.sha256(f"{self.subscription}/{self._serial}".encode()).hexdigest()[:length]

    def guid(self) -> str:
        return str(uuid.UUID(self.digest(), version=4))

    def find(self, id_: str) -> StoredResource | None:
        row = self.store.row(
            f"SELECT {_COLUMNS} FROM resources WHERE key = ?",  # noqa: S608  # a constant
            id_.lower(),
        )
        return _from_row(row) if row else None

    def need(self, id_: str) -> StoredResource:
        """The resource that something else keeps from going away."""
        found = self.find(id_)
        if found is None:
            raise LookupError(id_)
        return found

    def of_group(self, group: str) -> list[StoredResource]:
        return self._all("grp = ?", group.lower())

    def of_kind(self, kind: str, group: str | None = None) -> list[StoredResource]:
        if group is None:
            return self._all("kind = ?", kind)
        return self._all("kind = ? AND grp = ?", kind, group.lower())

    def every(self) -> list[StoredResource]:
        return self._all("1")

    def below(self, id_: str) -> list[StoredResource]:
        """The resources whose ids begin with this one's."""
        return [
            _from_row(row)
            for row in self.store.rows(
                f"SELECT {_COLUMNS} FROM resources WHERE substr(key, 1, ?) = ? ORDER BY key",  # noqa: S608
                len(id_) + 1,
                f"{id_.lower()}/",
            )
        ]

    def _all(self, where: str, *values: str) -> list[StoredResource]:
        rows = self.store.rows(
            f"SELECT {_COLUMNS} FROM resources WHERE {where} ORDER BY key",  # noqa: S608
            *values,
        )
        mine = f"/subscriptions/{self.subscription}/".lower()
        return [_from_row(row) for row in rows if row[0].lower().startswith(mine)]

    def save(self, resource: StoredResource) -> None:
        group = "" if resource.kind.endswith("/resourceGroups") else resource.group.lower()
        self.store.run(
            "INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?, ?, ?, ?)",
            resource.key,
            resource.id,
            resource.kind,
            group,
            resource.created,
            json.dumps(resource.body),
            json.dumps(resource.hidden),
        )

    def remove(self, resource: StoredResource) -> None:
        """Take it out of the subscription: its references, quota and bill end with it."""
        if self.settings.at("lag").get("lists", 0):
            self._bury(resource)
        self.store.run("DELETE FROM resources WHERE key = ?", resource.key)
        self.store.run("DELETE FROM refs WHERE owner = ?", resource.key)
        self.store.run("DELETE FROM allocations WHERE vm = ?", resource.key)
        self.stop_billing(resource)

    def _bury(self, resource: StoredResource) -> None:
        """Lists that lag behind go on telling of it."""
        self.store.run(
            "INSERT INTO gone VALUES (?, ?, ?, ?, ?, ?, ?)",
            resource.key,
            resource.id,
            resource.kind,
            json.dumps(resource.body),
            resource.created,
            json.dumps(resource.hidden),
            self.at,
        )

    def buried(self, since: float) -> list[StoredResource]:
        """What has gone after `since`."""
        rows = self.store.rows(
            f"SELECT {_COLUMNS} FROM gone WHERE at > ? ORDER BY at",  # noqa: S608  # a constant
            since,
        )
        return [_from_row(row) for row in rows]

    def refer(self, owner: StoredResource, refs: list[Reference]) -> None:
        """`refs` are all that `owner` points to."""
        self.store.run("DELETE FROM refs WHERE owner = ?", owner.key)
        self.store.run_many(
            "INSERT INTO refs VALUES (?, ?, ?, ?, ?)",
            [(ref.target.lower(), ref.source, owner.key, ref.role, ref.detail) for ref in refs],
        )

    def referrers(self, target: str, *roles: str) -> list[Reference]:
        rows = self.store.rows(
            "SELECT target, source, owner, role, detail FROM refs WHERE target = ? ORDER BY source",
            target.lower(),
        )
        return [ref for ref in (Reference(*row) for row in rows) if not roles or ref.role in roles]

    def details(self, target: str, role: str) -> dict[str, str]:
        """What is noted at the references to `target`, by what points there."""
        rows = self.store.rows(
            "SELECT source, detail FROM refs WHERE target = ? AND role = ?", target.lower(), role
        )
        return dict(rows)

    def bill(self, resource: StoredResource) -> None:
        """Let it cost from now on; a second call changes nothing."""
        open_ = "SELECT 1 FROM billing WHERE resource = ? AND until IS NULL"
        if not self.store.row(open_, resource.key):
            self.store.run("INSERT INTO billing VALUES (?, ?, NULL)", resource.key, self.at)

    def stop_billing(self, resource: StoredResource) -> None:
        self.store.run(
            "UPDATE billing SET until = ? WHERE resource = ? AND until IS NULL",
            self.at,
            resource.key,
        )

    def seconds(self, *name: str) -> float:
        """The duration of `name`."""
        if self.instant:
            return 0.0
        return float(self.settings.at("durations", ".".join(name)))
