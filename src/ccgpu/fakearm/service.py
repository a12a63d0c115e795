"""The simulated ARM: it routes a request to its handler and commits the result.

One request is one transaction. ARM's errors are responses. What the fake does not know is a
`FakeGap`, and changes nothing.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from ccgpu.fakearm import (
    assignments,
    billing,
    buckets,
    catalog,
    errors,
    governance,
    history,
    kinds,
    lag,
    operations,
    rbac,
    registration,
    resource_graph,
    role_definitions,
    skus,
    subscription,
    tokens,
)
from ccgpu.fakearm.call import ArmCall, Route, Routes
from ccgpu.fakearm.clock import START, VirtualClock
from ccgpu.fakearm.gallery import routes as galleries
from ccgpu.fakearm.gallery import versions
from ccgpu.fakearm.gallery.nested import finish_delete as finish_nested
from ccgpu.fakearm.keyvault.hosts import KeySets, is_known_host
from ccgpu.fakearm.operations import Finishers
from ccgpu.fakearm.resources import (
    addresses,
    disks,
    groups,
    imported,
    interfaces,
    locks,
    nat_gateways,
    networks,
    security_groups,
    tracked,
    uploads,
)
from ccgpu.fakearm.settings import Settings
from ccgpu.fakearm.storage import pages
from ccgpu.fakearm.storage.hosts import is_known_host as is_blob_host
from ccgpu.fakearm.store import Store
from ccgpu.fakearm.vm import console, machines
from ccgpu.fakearm.vm.inside import Machine, VmInside, find_machine
from ccgpu.fakearm.vm.measured import MeasureDisk
from ccgpu.fakearm.wire import FakeGap, Fault, Request, Response
from ccgpu.fakearm.world import World

if TYPE_CHECKING:
    from ccgpu.fakearm.seeding import SeedingResult

FAKE_SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
_HOSTS = ("management.azure.com", "management.usgovcloudapi.net", "management.chinacloudapi.cn")

ROUTES: Routes = {
    **subscription.ROUTES,
    **groups.ROUTES,
    **skus.ROUTES,
    **catalog.ROUTES,
    **tracked.kind_routes(security_groups.RULES, security_groups.put),
    **tracked.kind_routes(networks.RULES, networks.put),
    **networks.SUBNET_ROUTES,
    **security_groups.RULE_ROUTES,
    **tracked.kind_routes(addresses.RULES, addresses.put),
    **tracked.kind_routes(nat_gateways.RULES, nat_gateways.put),
    **tracked.kind_routes(interfaces.RULES, interfaces.put),
    **tracked.kind_routes(disks.DISK_RULES, disks.put_disk),
    **tracked.kind_routes(disks.SET_RULES, disks.put_set),
    **tracked.kind_routes(disks.IDENTITY_RULES, disks.put_identity, delete=disks.delete_identity),
    **uploads.ROUTES,
    **galleries.ROUTES,
    **machines.ROUTES,
    **console.ROUTES,
    **imported.ROUTES,
    **role_definitions.ROUTES,
    **locks.ROUTES,
    **assignments.ROUTES,
    **resource_graph.ROUTES,
}


def _finish_write(world: World, operation: operations.Operation, target: Any) -> Any:
    """End a write. The subnets of a VNet and the rules of an NSG end with it."""
    finish = _WRITE_FINISHERS.get(target.kind, tracked.finish_write)
    return finish(world, operation, target)


_WRITE_FINISHERS = {kinds.VNET: networks.finish_write, kinds.NSG: security_groups.finish_write}


def _finish_delete(world: World, operation: operations.Operation, target: Any) -> Any:
    """End a delete. A gallery knows for a while what it had."""
    nested = kinds.is_nested(target.kind)
    return (finish_nested if nested else tracked.finish_delete)(world, operation, target)


FINISHERS: Finishers = {
    "write": _finish_write,
    "delete": _finish_delete,
    "address": addresses.finish_write,
    "subnet.delete": networks.finish_subnet_delete,
    "group.delete": groups.finish_delete,
    **uploads.FINISHERS,
    **versions.FINISHERS,
    **machines.FINISHERS,
}


class FakeArm:
    """Azure Resource Manager for one simulated subscription, in a file or in memory."""

    def __init__(
        self, path: str | os.PathLike[str] = ":memory:", *, subscription: str = FAKE_SUBSCRIPTION
    ) -> None:
        self._store = Store(path, START)
        self.settings = Settings(self._store)
        self.clock = VirtualClock(self._store)
        self.subscription = subscription
        self.faults: list[Fault] = []
        self.on_commit: Callable[[Request, Response], None] | None = None
        self.slept = 0
        self.attestation_keys: KeySets | None = None  # what its tokens are verified with
        self._world = World(self._store, self.settings, subscription)

    def send(self, request: Request) -> Response:
        """ARM's response. Raises only `FakeGap`, and what a fault or `on_commit` raises."""
        for fault in self.faults:
            answer = fault(request)
            if answer is not None:
                with self._store.transaction():
                    self._log(request, answer)
                return answer
        with self._store.transaction():
            operations.finish_due(self._world, self._world.begin_request(), FINISHERS)
            answer = self._dispatch(request)
            self._world.end_request()
            number = self._log(request, answer)
            history.prune(self._store, number, self._world.now)
        if self.on_commit is not None:
            self.on_commit(request, answer)
        id_ = f"00000000-0000-4000-9000-{number:012x}"
        date = formatdate(self._world.now, usegmt=True)  # ARM runs on virtual time
        ids = {"x-ms-request-id": id_, "x-ms-correlation-request-id": id_}
        headers = {"Date": date, **ids, **answer.headers}
        return Response(answer.status, answer.body, headers)

    def _log(self, request: Request, answer: Response) -> int:
        """Log the request without its query, which may hold a signature."""
        self._store.run(
            "INSERT INTO requests (method, path, status) VALUES (?, ?, ?)",
            request.method,
            request.path,
            answer.status,
        )
        return int(self._store.row("SELECT last_insert_rowid()")[0])

    def _dispatch(self, request: Request) -> Response:
        host = request.host
        if is_blob_host(host):
            from ccgpu.fakearm.storage import service as storage

            return storage.answer_request(self._world, request)
        if host.endswith(console.BLOB_HOSTS):
            return console.get_blob(self._world, request)
        if is_known_host(host):
            from ccgpu.fakearm.keyvault import service as keyvault  # it loads cryptography

            return keyvault.answer_request(self._world, request, self.attestation_keys)
        if host not in _HOSTS:
            raise FakeGap(f"host {host}")
        shape, names = _parse_path(request.path)
        key = (request.method, shape)
        route = ROUTES.get(key)
        if route is None:
            raise FakeGap(f"{request.method} {shape}")
        query = request.query
        route.check(query)
        try:
            tokens.check_authorization(request.headers.get("Authorization", ""), self._world.now)
            world = self._world_for(names[0], request) if names else self._world
            call = ArmCall(request, world, names, query, host)
            return self._handle(call, key, route)
        except errors.Refused as refusal:
            return refusal.response

    def _world_for(self, subscription: str, request: Request) -> World:
        """The simulated subscription, or a read-only view of another one."""
        if subscription.lower() == self.subscription.lower():
            return self._world
        other = World(self._store, self.settings, subscription, home=self.subscription)
        other.now = self._world.now
        if not other.list_all():
            raise errors.subscription_not_found(subscription)
        if request.method not in ("GET", "HEAD"):
            raise FakeGap(f"{request.method} in another subscription")
        return other

    def add(self, resources: Sequence[Any]) -> "SeedingResult":
        """Add a user's own resources, as a GET returns them. Adds all of them or none."""
        from ccgpu.fakearm import seeding

        try:
            with self._store.transaction():
                operations.finish_due(self._world, self._world.begin_request(), FINISHERS)
                self._world.end_request()
                return seeding.add_resources(
                    self._store, self.settings, self.subscription, resources, FINISHERS
                )
        except seeding.SeedingFailed as failed:
            return failed.result

    def _handle(self, call: ArmCall, key: tuple[str, str], route: Route) -> Response:
        left = buckets.take_tokens(call, key)
        rbac.check(call, key)
        registration.check(call)
        governance.check(call, key)
        lag.refuse_hidden(call)
        with self._store.savepoint():
            answer = route.handler(call)
        lag.hide_from_reads(call, answer)
        return Response(answer.status, answer.body, {**answer.headers, **left}) if left else answer

    def inhabit(self, guests: VmInside, measure_disk: MeasureDisk | None = None) -> None:
        """Let `guests` run in the VMs. measure_disk: what a boot measures of an uploaded disk."""
        self._world.inside = guests
        self._world.measure_disk = measure_disk

    @contextmanager
    def machine_at(self, address: str) -> Iterator[Machine | None]:
        """The VM that has this public or private address, as its guest sees it.

        Holds the state until the block ends. This is no request: it costs and logs nothing.
        """
        with self._store.transaction():
            operations.finish_due(self._world, self._world.begin_request(), FINISHERS)
            yield find_machine(self._world, address)
            self._world.end_request()

    def content_of(self, id_: str) -> Iterator[bytes]:
        """The uploaded bytes of a disk, or of the image version made of it, 1 MiB at a time.

        KeyError if there is no such resource, or nothing was uploaded for it.
        """
        found = self._world.find(id_)
        if found is None or not found.internal_state.get("content"):
            raise KeyError(id_)
        state = found.internal_state
        return pages.parts(self._store, state["content"], state["contentBytes"])

    def has_address(self, address: str) -> bool:
        """Whether the subscription may give out this address, or a VM of it has it now."""
        if addresses.is_public(address):
            return True
        with self.machine_at(address) as machine:
            return machine is not None

    def now(self) -> float:
        """Virtual time in Unix seconds."""
        return self.clock.now()

    def advance(self, seconds: float) -> None:
        """Advance virtual time. The next request ends the operations that are due."""
        self.clock.sleep(seconds)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Reset all settings but `settings` to the defaults. KeyError for unknown ones."""
        self.settings.replace(settings)

    def reset(self) -> None:
        """Delete all resources and reset the settings. Time does not go back."""
        with self._store.transaction():
            self._store.empty()
            self._store.run("UPDATE world SET settings = '{}', revision = revision + 1")

    def show(self) -> dict[str, Any]:
        """All resources with creation time and cost, those that cost now, and all requests."""
        with self._store.transaction():
            operations.finish_due(self._world, self._world.begin_request(), FINISHERS)
            self._world.end_request()
            return billing.billing_report(self._store)

    def close(self) -> None:
        self._store.close()


def find_route(request: Request) -> Route | None:
    """The route of a request to Resource Manager; None if there is none."""
    return ROUTES.get((request.method, _parse_path(request.path)[0]))


def _parse_path(path: str) -> tuple[str, tuple[str, ...]]:
    """The path in lower case with `*` for each variable part, and those parts."""
    parts = path.strip("/").split("/")
    names, shape, free = [], [], False
    for number, part in enumerate(parts):
        if free:
            names.append(part)
            shape.append("*")
            free = False
            continue
        shape.append(part.lower())
        namespace = shape[-2:-1] == ["providers"]
        free = not namespace and part.lower() != "providers" and number < len(parts) - 1
    return "/".join(shape), tuple(names)
