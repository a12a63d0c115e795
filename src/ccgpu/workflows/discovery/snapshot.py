"""Read the resources of a deployment: in a settled state, or as they are at the moment.

A resource is settled when no operation on it is in progress. A plan is only made from settled
resources, so operations that an earlier run or another client has started are waited for.
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
from ccgpu.net.retry import reread_delay
from ccgpu.scheduling.scheduler import Task, together

Actual = dict[ResourceId, Body]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The resources of a deployment that a command has read, so that it reads them once.

    bodies: GET bodies by `key`, a VM with its instance view. absent: the `key`s that were answered
    with 404. read_at: Azure's time of the last read. A snapshot may be outdated, so a resource is
    read again before it is changed or deleted.
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
        """Whether the id has been read, with a body or a 404 as the answer."""
        return key(id_) in self.bodies or key(id_) in self.absent

    def after_reading(self, run: Run, ids: Iterable[ResourceId]) -> "Snapshot":
        """The same snapshot with the latest body of each of `ids` that the command has read."""
        read = {key(id_): run.observed[key(id_)] for id_ in ids if key(id_) in run.observed}
        bodies = {**self.bodies, **read}
        return replace(self, bodies=bodies, read_at=run.server_clock.time())


_MORE_READS = 2  # further reads of a group that the user named and a first GET did not show
# The order in which ARM allows deleting shared resources that the spec no longer needs.
_DELETABLE = (Kind.NSG, Kind.VNET, Kind.NAT, Kind.PUBLIC_IP)


def read_settled(run: Run, ids: Mapping[ResourceId, Kind]) -> Actual:
    """The GET body of each existing resource, by `key`, once the resource is settled."""

    def wait(id_: ResourceId, kind: Kind) -> Task[Body | None]:
        return wait_until_settled(run, kind, id_, f"reading {id_}", view=kind is Kind.VM)

    return run_task(run, _read_all(ids, wait))


def read_deployment_settled(
    run: Run, names: Names, data_disks: int = 0, *, begun: bool = True
) -> Actual:
    """`read_settled` of everything a plan compares, the VM's disks and NICs included.

    `data_disks`: the number of data disks in the spec. They are read by name, because the VM does
    not name a disk that was detached.

    `begun`: whether anything is expected to exist. If not, ccgpu's own group is read first: without
    it there is nothing to read in it. If a replica of ARM does not show the group yet, it does not
    show what was created in it after that either.
    """
    group = names.of(Kind.GROUP)
    is_own = key(names.group) == key(own_group(names.deployment))
    bodies: Actual = {}
    if is_own and not begun:
        bodies = read_settled(run, {group: Kind.GROUP})
        if not bodies:
            return bodies
    disks = {names.data_disk(lun): Kind.DISK for lun in range(data_disks)}
    ids = possible_ids(names) | disks
    bodies |= read_settled(run, {id_: ids[id_] for id_ in ids if key(id_) not in bodies})
    if key(group) not in bodies and not is_own:
        bodies |= run_task(run, _read_recent_group(run, group))
    vm = bodies.get(key(names.vm))
    if vm is None:
        return bodies
    in_vm = dict.fromkeys(managed_disk_ids(vm), Kind.DISK)
    in_vm |= dict.fromkeys(network_interface_ids(vm), Kind.NIC)
    return bodies | read_settled(
        run, {id_: kind for id_, kind in in_vm.items() if key(id_) not in bodies}
    )


def _read_recent_group(run: Run, group: ResourceId) -> Task[Actual]:
    """Read a group of the user's again, in case a replica of ARM does not show it yet.

    If it counted as absent, a create would PUT it with ccgpu's tags, and `delete` would delete it.
    """
    get = partial(run.cloud.arm.get, Kind.GROUP, group)
    for attempt in range(_MORE_READS):
        doing = f"reading {group}"
        yield from run.pause(reread_delay(attempt), doing)
        body = yield from send_with_retry(run, get, doing)
        if body is not None:
            return {key(group): body}
    return {}


def read_now(
    run: Run, ids: Mapping[ResourceId, Kind], known: Snapshot | None = None
) -> Task[Actual]:
    """The GET body of each existing resource, settled or not.

    A VM has its instance view, an image version the state of its copies.

    Ids in `known` are not read again.
    """
    bodies = known.bodies if known else {}
    unread = {id_: kind for id_, kind in ids.items() if not (known and known.knows(id_))}
    read = {key(id_): bodies[key(id_)] for id_ in ids if key(id_) in bodies}
    return read | (yield from _read_all(unread, partial(_read_once, run)))


def read_each_now(
    run: Run, ids: Mapping[ResourceId, Kind]
) -> Task[tuple[Actual, dict[ResourceId, CcgpuError]]]:
    """As `read_now`, and the error of each id that could not be read."""
    return _read_each(ids, partial(_read_once, run))


def _read_once(run: Run, id_: ResourceId, kind: Kind) -> Task[Body | None]:
    get = partial(run.cloud.arm.get, kind, id_, view=kind in (Kind.VM, Kind.GALLERY_VERSION))
    return send_with_retry(run, get, f"reading {id_}")


def _read_all(
    ids: Mapping[ResourceId, Kind], read: Callable[[ResourceId, Kind], Task[Body | None]]
) -> Task[Actual]:
    """Read `ids` concurrently; raises the first error after all reads have ended."""
    bodies, failures = yield from _read_each(ids, read)
    for err in failures.values():
        raise err
    return bodies


def _read_each(
    ids: Mapping[ResourceId, Kind], read: Callable[[ResourceId, Kind], Task[Body | None]]
) -> Task[tuple[Actual, dict[ResourceId, CcgpuError]]]:
    """Read `ids` concurrently: the bodies by `key`, and the errors by id."""
    bodies: Actual = {}
    failures: dict[ResourceId, CcgpuError] = {}

    def read_or_note_error(id_: ResourceId, kind: Kind) -> Task[None]:
        try:
            body = yield from read(id_, kind)
            if body is not None:
                bodies[key(id_)] = body
        except CcgpuError as err:
            failures[id_] = err

    yield from together(read_or_note_error(id_, kind) for id_, kind in ids.items())
    return bodies, failures


def deployment_ids(names: Names) -> dict[ResourceId, Kind]:
    """The ids of a deployment's resources whose names ccgpu chooses, disks excepted."""
    return {names.vm: Kind.VM, **names.shared}


def possible_ids(names: Names) -> dict[ResourceId, Kind]:
    """`deployment_ids`, and the OS disk."""
    return deployment_ids(names) | {names.os_disk: Kind.DISK}


def unwanted_resources(names: Names, actual: Actual) -> list[Resource]:
    """The deployment's existing shared resources, in an order in which they can be deleted."""
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
    """Tag the VM's disks that have no deployment tag: the VM's PUT cannot tag its disks.

    A disk that has the tag in `known` is not read again.
    """

    def tag_disk(id_: ResourceId) -> Task[None]:
        doing = f"tagging {id_}"
        get = partial(run.cloud.arm.get, Kind.DISK, id_)
        body = yield from send_with_retry(run, get, doing)
        if body is not None and tag(body, DEPLOYMENT) is None:
            put = partial(run.cloud.arm.tag, Kind.DISK, id_, {**tags_of(body), **tags})
            yield from send_with_retry(run, put, doing)

    untagged = [id_ for id_ in disks if tag(known.bodies.get(key(id_)), DEPLOYMENT) is None]
    run.cloud.scheduler.gather(tag_disk(id_) for id_ in untagged)
