"""Leftovers: the resources that still exist, or may exist, when a command fails.

Each id is read once more, within a time of its own. A resource that cannot be read is reported as
"unknown", never as gone. After an interrupt nothing is read: a resource that the command has read
before is reported as "exists", any other that the journal names as "unknown".
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.removal import vm_has_lost_tag
from ccgpu.domain.resource import (
    DEPLOYMENT,
    Body,
    ResourceId,
    group_of,
    key,
    kind_of,
    state_of,
    tag,
)
from ccgpu.domain.time_limits import REPORT, REPORT_NEW
from ccgpu.domain.vm_view import network_interface_ids, power_state
from ccgpu.errors import (
    CcgpuError,
    Denied,
    Interrupted,
    InvalidFile,
    LeftBehind,
    Leftover,
    Presence,
    RemovalDenied,
    UsageProblem,
)
from ccgpu.net.retry import reread_delay
from ccgpu.scheduling.scheduler import Task, together
from ccgpu.workflows.discovery.dependents import (
    find_dependents,
    nic_public_ip_ids,
    vm_disk_ids,
)

if TYPE_CHECKING:  # a command that only reads has none
    from ccgpu.workflows.journal_writer import JournalWriter

# Kinds that are billed while they exist. A VM is billed until it is deallocated.
BILLED = frozenset({Kind.VM, Kind.DISK, Kind.PUBLIC_IP, Kind.NAT})
# Consecutive 404s after which a resource counts as gone. A replica of ARM may not show a resource
# yet that was just created, so such a one is read more often.
_READS, _READS_OF_NEW = 2, 4


def is_billed(kind: Kind, body: Body | None) -> bool:
    """Whether a resource is billed; `body` is its last GET, a VM's with instance view."""
    return kind in BILLED and not (
        kind is Kind.VM and body is not None and power_state(body) == "deallocated"
    )


def report_leftovers(
    run: Run,
    ids: Mapping[ResourceId, Kind],
    deployment: str,
    new_ids: Collection[ResourceId] = (),
) -> tuple[Leftover, ...]:
    """The resources of a deployment that exist or may exist, among `ids` and their VM's dependents.

    Resources with another deployment's tag are not reported.

    `new_ids`: the `key`s of resources that this command may have just created.
    """
    return run_task(run, find_leftovers(run, ids, deployment, new_ids))


def find_leftovers(
    run: Run,
    ids: Mapping[ResourceId, Kind],
    deployment: str,
    new_ids: Collection[ResourceId] = (),
) -> Task[tuple[Leftover, ...]]:
    """The task of `report_leftovers`."""
    limit = REPORT_NEW if new_ids else REPORT
    reader = _LeftoverReader(run.with_timeout(limit), deployment, new_ids, frozenset(map(key, ids)))
    yield from together(reader.check(id_, kind) for id_, kind in ids.items())
    return tuple(reader.leftovers.values())


class _LeftoverReader:
    """Reads ids once, and collects those that exist or may exist as `Leftover`s by `key`."""

    def __init__(
        self,
        run: Run,
        deployment: str,
        new_ids: Collection[ResourceId],
        ids: Collection[ResourceId],
    ) -> None:
        self.leftovers: dict[ResourceId, Leftover] = {}
        self._ids = ids
        self._run = run
        self._deployment = deployment
        self._new_ids = new_ids
        self._not_left: set[ResourceId] = set()

    def check(self, id_: ResourceId, kind: Kind) -> Task[None]:
        """Record a resource if it exists or may exist; a VM's dependents too."""
        try:
            body = yield from self._get_body(id_, kind)
        except CcgpuError:
            self._record(id_, kind, "unknown", None)
            self._recall_dependents(id_, kind)
            return
        if body is None or not self._is_ours(kind, body):
            self._not_left.add(key(id_))
            return
        # A resource that is being deleted may be gone before this report is complete.
        self._record(id_, kind, "unknown" if state_of(body) == "Deleting" else "exists", body)
        if kind is Kind.VM:
            yield from self._check_dependents(id_, body)

    def _get_body(self, id_: ResourceId, kind: Kind) -> Task[Body | None]:
        get = partial(self._run.cloud.arm.get, kind, id_, view=kind is Kind.VM)
        doing = f"reading {id_}"
        body: Body | None = yield self._run.call(get, doing)
        is_new = key(id_) in self._new_ids
        for attempt in range(1, _READS_OF_NEW if is_new else _READS):
            if body is not None:
                break
            body = yield self._run.call(get, doing, reread_delay(attempt) if is_new else 0.0)
        return body

    def _check_dependents(self, id_: ResourceId, vm: Body) -> Task[None]:
        try:
            dependents = yield from find_dependents(self._run, id_, vm)
        except CcgpuError:
            return  # the report names the VM, and deleting the VM deletes its dependents
        yield from together(
            self.check(dependent, kind)
            for dependent, kind in dependents
            if key(dependent) not in self.leftovers
        )

    def _recall_dependents(self, id_: ResourceId, kind: Kind) -> None:
        """Record what the command has read of a resource that cannot be read now."""
        seen = self._run.observed
        known = _dependents_in_body(id_, kind, seen.get(key(id_)) or {}, seen)
        for dependent, its_kind in known.items():
            if key(dependent) not in self._not_left | self.leftovers.keys():
                self._record(dependent, its_kind, "unknown", None)

    def _is_ours(self, kind: Kind, body: Body) -> bool:
        owner = tag(body, DEPLOYMENT)
        if owner is None and kind is Kind.VM:
            return vm_has_lost_tag(body, self._ids)
        return owner == self._deployment or (kind is Kind.DISK and owner is None)

    def _record(self, id_: ResourceId, kind: Kind, state: Presence, body: Body | None) -> None:
        self.leftovers[key(id_)] = Leftover(id_, state, billed=is_billed(kind, body))


def first_denied(errors: Iterable[CcgpuError]) -> Denied | None:
    """The first of `errors` that was caused by a missing permission."""
    return next((err for err in errors if isinstance(err, Denied)), None)


def left_behind_error(
    what: str,
    errors: Iterable[CcgpuError],
    *,
    hint: str | None = None,
    resources: Sequence[Leftover] = (),
) -> LeftBehind:
    """The error for resources that remain because of `errors`.

    Args:
        what: What could not be done; the error's message.
        errors: The causes. If a permission was missing, the result is a `RemovalDenied` and its
            message names the permission.
        hint: The error's hint.
        resources: The resources that remain.
    """
    missing = first_denied(errors)
    if missing is None:
        return LeftBehind(what, hint=hint, resources=resources)
    text = what if str(missing) in what else f"{what}\n{missing}"
    return RemovalDenied(text, hint=hint, resources=resources)


@contextmanager
def reporting_leftovers(
    run: Run,
    ids: Callable[[], Mapping[ResourceId, Kind]],
    deployment: str,
    new_ids: Callable[[], Collection[ResourceId]] = tuple,
) -> Iterator[None]:
    """Add the leftovers among `ids` to each `CcgpuError` that leaves the block.

    Usage errors get none, because nothing was done yet; interrupts get none, because the reads
    would take time. If a `LeftBehind` has no leftovers, its cause is raised instead.
    """
    try:
        yield
    except (UsageProblem, InvalidFile, Interrupted):
        raise
    except CcgpuError as err:
        err.resources = err.resources or report_leftovers(run, ids(), deployment, new_ids())
        if isinstance(err, LeftBehind) and not err.resources and err.__cause__ is not None:
            raise err.__cause__ from None
        raise


@contextmanager
def converting_interrupt(
    what: str, hint: str, resources: Callable[[], Sequence[Leftover]] = tuple
) -> Iterator[None]:
    """Turn Ctrl-C into an `Interrupted` error.

    Args:
        what: What is not complete; part of the message.
        hint: How to continue.
        resources: Returns the leftovers without a request.
    """
    try:
        yield
    except KeyboardInterrupt as err:
        raise Interrupted(f"interrupted: {what}", hint=hint, resources=resources()) from err


def recall_leftovers(
    run: Run,
    names: Names,
    writer: "JournalWriter | None" = None,
    further: Mapping[ResourceId, Kind] | None = None,
) -> tuple[Leftover, ...]:
    """The leftovers that this command knows of, without a request to Azure.

    They are the resources that it has read, those that the journal names, and `further`. A resource
    that it has read is reported as "exists", unless a DELETE was sent since; any other as
    "unknown".
    """
    observed = _observed_resources(run, names)
    ids = {key(id_): (id_, kind) for id_, kind in (further or {}).items()} | observed
    seen = set() if writer is not None and writer.doubtful else observed.keys()
    if writer is not None:
        ids |= {key(record.id): (record.id, record.kind) for record in writer.journal.records}
        ids = {at: resource for at, resource in ids.items() if not writer.is_gone(at)}
        seen = seen | {at for at in ids if writer.seen(at)}
    return tuple(
        Leftover(id_, "exists" if at in seen else "unknown", is_billed(kind, run.observed.get(at)))
        for at, (id_, kind) in ids.items()
    )


def _observed_resources(run: Run, names: Names) -> dict[ResourceId, tuple[ResourceId, Kind]]:
    """The deployment's resources that this command has read, and their dependents, by `key`."""
    kinds: dict[ResourceId, Kind] = {}
    for body in list(run.observed.values()):
        id_, kind = ResourceId(body["id"]), kind_of(body["id"])
        if kind is None or tag(body, DEPLOYMENT) != names.deployment:
            continue
        if key(group_of(id_)) == key(names.group):
            kinds |= {id_: kind} | _dependents_in_body(id_, kind, body, run.observed)
    return {key(id_): (id_, kind) for id_, kind in kinds.items()}


def _dependents_in_body(
    id_: ResourceId, kind: Kind, body: Body, seen: Mapping[ResourceId, Body]
) -> dict[ResourceId, Kind]:
    """The dependents that the body of a VM or of a network interface names."""
    if kind is Kind.NIC:
        return dict.fromkeys(nic_public_ip_ids(body), Kind.PUBLIC_IP)
    if kind is not Kind.VM:
        return {}
    nics = network_interface_ids(body)
    ips = [ip for nic in nics for ip in nic_public_ip_ids(seen.get(key(nic)))]
    kinds = dict.fromkeys(vm_disk_ids(id_, body), Kind.DISK) | dict.fromkeys(nics, Kind.NIC)
    return kinds | dict.fromkeys(ips, Kind.PUBLIC_IP)
