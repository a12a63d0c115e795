"""What Azure has of a deployment: once nothing of it is in motion, or as it is at the moment.

A resource that is being made or deleted, by an earlier run or by somebody else, is waited for: a
plan is only made from what is settled.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from ccgpu.azure.long_running import run_task, send_with_retry, wait_until_settled
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.resource import (
    DEPLOYMENT,
    Body,
    Resource,
    ResourceId,
    key,
    own_group,
    tag,
    tags_of,
)
from ccgpu.domain.vm_view import managed_disk_ids, network_interface_ids
from ccgpu.errors import CcgpuError
from ccgpu.net.retry import poll_delay
from ccgpu.scheduling.scheduler import Call, Task

Actual = dict[ResourceId, Body]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one command has read of a deployment, handed on so that it is read once.

    bodies: by `key`, a VM with its instance view. absent: the `key`s of what was not there.
    read_at: Azure's time of the last read. A snapshot grows old: who changes or deletes a resource
    reads that anew.
    """

    names: Names
    bodies: Mapping[ResourceId, Body]
    absent: frozenset[ResourceId] = frozenset()
    read_at: float | None = None

    @property
    def vm(self) -> Body | None:
        """The deployment's VM, if it has been read."""
        return self.bodies.get(key(self.names.vm))

    def knows(self, id_: ResourceId) -> bool:
        """Whether it has been read, there or not."""
        return key(id_) in self.bodies or key(id_) in self.absent

    def after_reading(self, run: Run, ids: Iterable[ResourceId]) -> "Snapshot":
        """The same, with `ids` as the command has read them last."""
        read = {key(id_): run.observed[key(id_)] for id_ in ids if key(id_) in run.observed}
        bodies = {**self.bodies, **read}
        return replace(self, bodies=bodies, read_at=run.server_clock.time())


_MORE_LOOKS = 2  # so often a group that the user named is looked for again, over some seconds
# The order in which what is no longer wanted can be deleted.
_DELETABLE = (Kind.NSG, Kind.VNET, Kind.NAT, Kind.PUBLIC_IP)


def read_settled(run: Run, ids: Mapping[ResourceId, Kind]) -> Actual:
    """The GET body of each resource that is there, by `key` of its id, once it is settled."""
    return _read_all(
        run, ids, lambda i, k: wait_until_settled(run, k, i, f"reading {i}", view=k is Kind.VM)
    )


def read_deployment_settled(run: Run, names: Names, data_disks: int = 0) -> Actual:
    """`read_settled` of all that a plan compares: the VM's disks and network interfaces too.

    `data_disks`: how many the spec asks for; one that was detached hangs on no VM.
    """
    disks = {names.data_disk(lun): Kind.DISK for lun in range(data_disks)}
    found = read_settled(run, possible_ids(names) | disks)
    group = names.of(Kind.GROUP)
    if key(group) not in found and key(names.group) != key(own_group(names.deployment)):
        found |= run_task(run, _read_recent_group(run, group))
    vm = found.get(key(names.vm))
    if vm is None:
        return found
    named = dict.fromkeys(managed_disk_ids(vm), Kind.DISK)
    named |= dict.fromkeys(network_interface_ids(vm), Kind.NIC)
    return found | read_settled(
        run, {id_: kind for id_, kind in named.items() if key(id_) not in found}
    )


def _read_recent_group(run: Run, group: ResourceId) -> Task[Actual]:
    """A group of the user's that a replica does not show yet.

    Taken for absent it would be put, and its tags would become ours: `delete` would remove it.
    """
    get = partial(run.cloud.arm.get, Kind.GROUP, group)
    for look in range(_MORE_LOOKS):
        doing = f"reading {group}"
        yield Call(lambda: None, run.deadline.require(poll_delay(look, None), doing))
        body = yield from send_with_retry(run, get, doing)
        if body is not None:
            return {key(group): body}
    return {}


def read_now(run: Run, ids: Mapping[ResourceId, Kind], known: Snapshot | None = None) -> Actual:
    """The GET body of each resource that is there, in motion or not; a VM with instance view.

    What is `known` is not read again.
    """
    bodies = known.bodies if known else {}
    unread = {id_: kind for id_, kind in ids.items() if not (known and known.knows(id_))}
    there = {key(id_): bodies[key(id_)] for id_ in ids if key(id_) in bodies}
    return there | _read_all(run, unread, partial(_read_once, run))


def read_each_now(
    run: Run, ids: Mapping[ResourceId, Kind]
) -> tuple[Actual, dict[ResourceId, CcgpuError]]:
    """As `read_now`; what cannot be read is told beside what can."""
    return _read_each(run, ids, partial(_read_once, run))


def _read_once(run: Run, id_: ResourceId, kind: Kind) -> Task[Body | None]:
    get = partial(run.cloud.arm.get, kind, id_, view=kind is Kind.VM)
    return send_with_retry(run, get, f"reading {id_}")


def _read_all(
    run: Run,
    ids: Mapping[ResourceId, Kind],
    read: Callable[[ResourceId, Kind], Task[Body | None]],
) -> Actual:
    """Read all at once; the first failure, when all have been read."""
    found, failures = _read_each(run, ids, read)
    for err in failures.values():
        raise err
    return found


def _read_each(
    run: Run,
    ids: Mapping[ResourceId, Kind],
    read: Callable[[ResourceId, Kind], Task[Body | None]],
) -> tuple[Actual, dict[ResourceId, CcgpuError]]:
    """Read all at once: the bodies by `key`, and why an id could not be read."""
    found: Actual = {}
    failures: dict[ResourceId, CcgpuError] = {}

    def look(id_: ResourceId, kind: Kind) -> Task[None]:
        try:
            body = yield from read(id_, kind)
            if body is not None:
                found[key(id_)] = body
        except CcgpuError as err:
            failures[id_] = err

    for id_, kind in ids.items():
        run.cloud.scheduler.add(look(id_, kind))
    run.cloud.scheduler.run()
    return found, failures


def deployment_ids(names: Names) -> dict[ResourceId, Kind]:
    """Every id that a deployment may have, but for those that Azure chooses."""
    return {names.vm: Kind.VM, **names.shared}


def possible_ids(names: Names) -> dict[ResourceId, Kind]:
    """`deployment_ids`, and the OS disk."""
    return deployment_ids(names) | {names.os_disk: Kind.DISK}


def unwanted_resources(names: Names, actual: Actual) -> list[Resource]:
    """Shared resources of the deployment that are there, in an order in which they can go."""
    ours = [
        (id_, kind)
        for id_, kind in names.shared.items()
        if kind in _DELETABLE and tag(actual.get(key(id_)), DEPLOYMENT) == names.deployment
    ]
    ours.sort(key=lambda one: _DELETABLE.index(one[1]))
    return [Resource(kind, id_, actual[key(id_)]) for id_, kind in ours]


def tag_disks(
    run: Run, disks: Iterable[ResourceId], tags: Mapping[str, str], known: Snapshot
) -> None:
    """Give the VM's disks our tags, where they lack them: the VM's PUT cannot.

    A disk that is `known` to have them is not read again.
    """

    def mark(id_: ResourceId) -> Task[None]:
        doing = f"tagging {id_}"
        get = partial(run.cloud.arm.get, Kind.DISK, id_)
        body = yield from send_with_retry(run, get, doing)
        if body is not None and tag(body, DEPLOYMENT) is None:
            put = partial(run.cloud.arm.tag, Kind.DISK, id_, {**tags_of(body), **tags})
            yield from send_with_retry(run, put, doing)

    for id_ in disks:
        if tag(known.bodies.get(key(id_)), DEPLOYMENT) is None:
            run.cloud.scheduler.add(mark(id_))
    run.cloud.scheduler.run()
