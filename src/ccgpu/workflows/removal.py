"""Delete a deployment's resources, in order, each until a GET answers 404.

Used by `delete`, by `gc`, by the rollback of a create, and before a replacement.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from ccgpu.azure.arm import Pending
from ccgpu.azure.long_running import delete_and_wait, send_with_retry, write_and_wait
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.in_place import foreign_in_network, without_own_subnet
from ccgpu.domain.removal import Decision, Fate, Ownership, decide, is_tag_missing, require_tag
from ccgpu.domain.resource import DEPLOYMENT, Body, Resource, ResourceId, key, kind_of, tag
from ccgpu.errors import AlreadyExists, CcgpuError, SharedMeanwhile
from ccgpu.scheduling.scheduler import Task, together
from ccgpu.workflows.discovery.dependents import find_dependents
from ccgpu.workflows.resource_groups import disown_group, find_foreign_contents

# Referring resources before those they refer to, the group last: ARM refuses to delete a resource
# that is in use (Microsoft Learn, delete-resource-group).
_ORDER = (
    (Kind.VM,),
    (Kind.NIC, Kind.DISK),
    (Kind.NSG, Kind.VNET),
    (Kind.NAT,),
    (Kind.PUBLIC_IP,),
    (Kind.GROUP,),
)

# Consecutive 404s after which a resource that may just have been created counts as absent, and the
# seconds between the reads.
_READS_OF_RECENT, _READ_DELAY = 3, 2.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one resource, why it was kept, and the errors on the way."""

    id: ResourceId
    kind: Kind
    fate: Fate
    reason: str = ""
    errors: tuple[CcgpuError, ...] = ()


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of each resource. `failures`: errors of the search for a VM's dependents."""

    outcomes: tuple[Outcome, ...] = ()
    failures: tuple[CcgpuError, ...] = ()

    def ids(self, *fates: Fate) -> tuple[ResourceId, ...]:
        """The ids of the resources with one of these fates."""
        return tuple(one.id for one in self.outcomes if one.fate in fates)

    @property
    def kept(self) -> tuple[tuple[ResourceId, str], ...]:
        """The deployment's resources that are kept, and why."""
        return tuple((one.id, one.reason) for one in self.outcomes if one.fate is Fate.KEPT)

    @property
    def left(self) -> dict[ResourceId, Kind]:
        """The resources that may still exist."""
        return {one.id: one.kind for one in self.outcomes if one.fate is Fate.LEFT}

    @property
    def errors(self) -> tuple[CcgpuError, ...]:
        """All errors, also those of resources that were deleted in spite of them."""
        return (*self.failures, *(err for one in self.outcomes for err in one.errors))

    def known(self) -> set[ResourceId]:
        """The `key`s of all resources that were found or deleted."""
        unknown = (Fate.ABSENT, Fate.SKIPPED)
        return {key(one.id) for one in self.outcomes if one.fate not in unknown}

    def followed_by(self, second: "Removal") -> "Removal":
        """Both removals together; the second has decided anew on what the first kept."""
        first = tuple(one for one in self.outcomes if one.fate is not Fate.KEPT)
        return Removal(first + second.outcomes, self.failures + second.failures)


def remove(
    run: Run,
    targets: Mapping[ResourceId, Kind],
    ownership: Ownership,
    on_gone: Callable[[ResourceId], None],
    on_write: Callable[[], None] = lambda: None,
) -> Task[Removal]:
    """Delete `targets` and their VMs' dependents.

    `on_gone` gets each id that answers 404; `on_write` is called before each write is sent.

    1. Read which dependents the VMs have; their disks carry no tags. If a VM uses them, but is not
       to be deleted since it has lost its tag, delete nothing: Azure would refuse each.
    2. Kind by kind, in the order of references: read each resource, decide, delete it, and wait for
       its 404.
    3. Once a resource has changed since it was assessed, delete nothing more.
    """
    vms = [id_ for id_, kind in targets.items() if kind is Kind.VM]
    own_ids = frozenset(map(key, targets))
    reads = yield from together(_read_dependents(run, id_, ownership, own_ids) for id_ in vms)
    dependents = {id_: kind for kinds, _ in reads for id_, kind in kinds.items()}
    failures = tuple(err for _, err in reads if err is not None)
    if any(is_tag_missing(err) for err in failures):
        return Removal(tuple(Outcome(*one, Fate.LEFT) for one in targets.items()), failures)
    disks = {key(id_) for id_, kind in dependents.items() if kind is Kind.DISK}
    with_vm = frozenset(key(id_) for id_ in dependents)  # the VM's body names them: not recent
    ownership = replace(ownership, disks=ownership.disks | disks, recent=ownership.recent - with_vm)
    named = {key(id_): (id_, kind) for id_, kind in (*dependents.items(), *targets.items())}
    work = _RemovalRun(run, ownership, with_vm, on_gone, on_write)
    for kinds in _ORDER:
        due = [(id_, kind) for id_, kind in sorted(named.values()) if kind in kinds]
        yield from together(work.remove_and_record(id_, kind) for id_, kind in due)
    return Removal(tuple(work.outcomes), failures)


def remove_late(
    run: Run,
    listed: Iterable[ResourceId],
    first: Removal,
    ownership: Ownership,
    on_gone: Callable[[ResourceId], None],
    on_write: Callable[[], None] = lambda: None,
) -> Task[Removal]:
    """Delete the `listed` resources that the `first` removal did not find; both removals together.

    They were missing from a lagging list, or they are a NIC or public IP that no VM refers to any
    more. A resource that the first removal kept is decided on anew: they may have been the reason.
    """
    known = first.known()
    kinds = ((id_, kind_of(id_)) for id_ in listed if key(id_) not in known)
    late = {id_: kind for id_, kind in kinds if kind is not None}
    if not late:
        return first
    kept = {one.id: one.kind for one in first.outcomes if one.fate is Fate.KEPT}
    return first.followed_by((yield from remove(run, late | kept, ownership, on_gone, on_write)))


class _RemovalRun:
    """One removal under way, and its outcomes so far."""

    def __init__(
        self,
        run: Run,
        ownership: Ownership,
        with_vm: frozenset[ResourceId],
        on_gone: Callable[[ResourceId], None],
        on_write: Callable[[], None],
    ) -> None:
        self.outcomes: list[Outcome] = []
        self._run = run
        self._ownership = ownership
        self._with_vm = with_vm
        self._on_gone = on_gone
        self._on_write = on_write

    def remove_and_record(self, id_: ResourceId, kind: Kind) -> Task[None]:
        """Delete one resource, if it is to be deleted; note what became of it."""
        try:
            outcome = yield from self._remove_resource(id_, kind)
        except CcgpuError as err:
            outcome = self._outcome_of_error(id_, kind, err)
        self.outcomes.append(outcome)

    def _outcome_of_error(self, id_: ResourceId, kind: Kind, err: CcgpuError) -> Outcome:
        if isinstance(err, AlreadyExists) and self._ownership.assessed is not None:
            text = f"{id_} has changed in the meantime: not deleted"
            self._run.tell("note", text, id_, kind)
            return Outcome(id_, kind, Fate.CHANGED)
        self._run.tell("failed", str(err), id_, kind, "delete")
        return Outcome(id_, kind, Fate.LEFT, errors=(err,))

    def _remove_resource(self, id_: ResourceId, kind: Kind) -> Task[Outcome]:
        """Read one resource, decide, and delete it.

        1. Read it. A 404 now of a VM's dependent means that it was deleted with the VM.
        2. Decide; a resource that is not to be deleted ends here.
        3. Delete it and wait for a 404. A network that others began to use is decided on anew.
        """
        run, doing = self._run, f"deleting {id_}"
        body = yield from _read_resource(run, kind, id_, self._ownership, doing)
        decision = yield from self._decide(id_, kind, body)
        if decision.fate is Fate.ABSENT:
            went_with_vm = key(id_) in self._with_vm
            if went_with_vm:
                run.tell("gone", doing, id_, kind, "delete")
            self._on_gone(id_)
            return Outcome(id_, kind, Fate.GONE if went_with_vm else Fate.ABSENT)
        if decision.fate is not None:
            return Outcome(id_, kind, decision.fate, decision.reason or "")
        self._on_write()
        run.tell("begin", doing, id_, kind, "delete")
        start = partial(_send_delete, run, kind, id_, self._ownership)
        unchanged = partial(self._ownership.is_as_assessed, id_)
        try:
            denied = yield from delete_and_wait(run, kind, id_, start, doing, unchanged)
        except SharedMeanwhile:
            kept = yield from self._decide_shared_network(id_, kind)
            if kept is None:
                raise
            return kept
        run.tell("gone", doing, id_, kind, "delete")
        self._on_gone(id_)
        return Outcome(id_, kind, Fate.GONE, errors=() if denied is None else (denied,))

    def _decide(self, id_: ResourceId, kind: Kind, body: Body | None) -> Task[Decision]:
        """As `domain.removal.decide`, with a group's contents read before the decision.

        If a network is kept, its subnet of this deployment is removed.
        """
        halted = any(one.fate is Fate.CHANGED for one in self.outcomes)
        decision = decide(self._ownership, id_, kind, body, halted=halted)
        if body is None:
            return decision
        if decision.fate is None and kind is Kind.GROUP:
            return (yield from self._decide_group(id_, body))
        if decision.fate is Fate.KEPT and self._ownership.includes(id_, body):
            yield from self._remove_own_subnet(id_, body)
        return decision

    def _decide_group(self, id_: ResourceId, body: Body) -> Task[Decision]:
        """Keep a group with other resources in it; disown it if they include deployments."""
        run, ownership = self._run, self._ownership
        gone = {key(one.id) for one in self.outcomes if one.fate is Fate.GONE}
        others = yield from find_foreign_contents(run, id_, ownership.deployment, gone=gone)
        decision = decide(ownership, id_, Kind.GROUP, body, others_in_group=others.reason)
        tagged = tag(body, DEPLOYMENT) == ownership.deployment
        if others.deployments and tagged and ownership.is_as_assessed(id_, body):
            self._on_write()
            yield from disown_group(run, id_, body, ownership.deployment)
        return decision

    def _remove_own_subnet(self, network: ResourceId, body: Body) -> Task[None]:
        """Remove our subnet from a network that is kept, so that NSG and NAT can be deleted."""
        rest = without_own_subnet(body)
        if rest is None:
            return
        doing = f"removing our subnet from {network}"
        arm = self._run.cloud.arm
        put = partial(arm.put, Resource(Kind.VNET, network, rest), etag=body.get("etag"))
        self._on_write()
        yield from write_and_wait(self._run, Kind.VNET, network, put, doing)

    def _decide_shared_network(self, id_: ResourceId, kind: Kind) -> Task[Outcome | None]:
        """Decide anew on a network that others began to use just before its DELETE.

        Returns None if it is not to be kept.
        """
        body = yield from _read_resource(self._run, kind, id_, self._ownership, f"reading {id_}")
        decision = yield from self._decide(id_, kind, body)
        if decision.fate is not Fate.KEPT:
            return None
        return Outcome(id_, kind, Fate.KEPT, decision.reason or "")


def _read_resource(
    run: Run, kind: Kind, id_: ResourceId, ownership: Ownership, doing: str
) -> Task[Body | None]:
    """The resource's body. A 404 of a recent resource is checked by further reads.

    A replica of ARM may not show a resource yet that was just created.
    """
    get = partial(run.cloud.arm.get, kind, id_)
    body = yield from send_with_retry(run, get, doing)
    for _ in range(_READS_OF_RECENT - 1 if key(id_) in ownership.recent else 0):
        if body is not None:
            break
        yield from run.pause(_READ_DELAY, doing)
        body = yield from send_with_retry(run, get, doing)
    return body


def _send_delete(run: Run, kind: Kind, id_: ResourceId, ownership: Ownership) -> Pending | None:
    """Send the DELETE.

    A resource that was assessed is read immediately before each attempt, to compare its tags. So is
    a network, because others may have put a subnet into it.

    A change between that read and the DELETE can only be detected by a precondition. Of our kinds
    only VMs take one (azure-mgmt-compute, `etag` of their writes), and Azure does not document
    whether their DELETE honours it.

    Raises:
        AlreadyExists: The resource has changed since it was assessed.
        SharedMeanwhile: Others use the network.
    """
    if ownership.assessed is None and kind is not Kind.VNET:
        return run.cloud.arm.delete(kind, id_)
    body = run.cloud.arm.get(kind, id_)
    if body is None:
        return None
    if not (ownership.includes(id_, body) and ownership.is_as_assessed(id_, body)):
        raise AlreadyExists(f"{id_} has changed since it was checked", code="Changed")
    if kind is Kind.VNET and foreign_in_network(body):
        raise SharedMeanwhile(f"{id_} is now used by others", code="SharedNetwork")
    etag = body.get("etag") if kind is Kind.VM else None
    return run.cloud.arm.delete(kind, id_, etag=etag)


def _read_dependents(
    run: Run, vm: ResourceId, ownership: Ownership, own_ids: frozenset[ResourceId]
) -> Task[tuple[dict[ResourceId, Kind], CcgpuError | None]]:
    """The dependents of the deployment's VM in Azure now, and the error of a failed read."""
    try:
        body = yield from _read_resource(run, Kind.VM, vm, ownership, f"reading {vm}")
        require_tag(vm, body, own_ids, ownership.deployment)
        if body is None or not ownership.includes(vm, body):
            return {}, None
        return dict((yield from find_dependents(run, vm, body))), None
    except CcgpuError as err:
        return {}, err
