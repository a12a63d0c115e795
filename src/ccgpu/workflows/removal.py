"""Remove resources: ours only, in order, each until a GET answers 404.

Used by delete, by undo, and before a replace. Whose a resource is, is read from its live tags
immediately before its DELETE; what is not provably ours stays and is named.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from ccgpu.azure.arm import Pending
from ccgpu.azure.long_running import delete_and_wait, send_with_retry, write_and_wait
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.in_place import foreign_in_network, without_own_subnet
from ccgpu.domain.resource import (
    DEPLOYMENT,
    RUN,
    Body,
    Resource,
    ResourceId,
    key,
    kind_of,
    tag,
    tags_of,
)
from ccgpu.errors import AlreadyExists, CcgpuError
from ccgpu.scheduling.scheduler import Call, Task
from ccgpu.workflows.discovery.dependents import find_dependents
from ccgpu.workflows.resource_groups import disown_group, find_foreign_contents

# VM → NIC and disks → what the NIC refers to → what that refers to; the group last. The order in
# which ARM's references allow it (in-use refusals: Microsoft Learn, delete-resource-group).
_STAGES = (
    (Kind.VM,),
    (Kind.NIC, Kind.DISK),
    (Kind.NSG, Kind.VNET),
    (Kind.NAT,),
    (Kind.PUBLIC_IP,),
    (Kind.GROUP,),
)

# How many 404s it takes to believe that what was perhaps just made is not there, so far apart.
_LOOKS_AT_NEW, _APART = 3, 2.0

_SHARED = "SharedNetwork"  # our code for a network that others have come to use


@dataclass(slots=True)
class Removal:
    """What a removal has done with each id.

    gone: removed now; kept: ours, and why it stays; foreign: not ours, not touched; changed: no
    longer what was judged, not touched, nor is anything after it; left: nobody knows. `errors`
    says why, and what right was missing that the rest was removed without.
    """

    gone: list[ResourceId] = field(default_factory=list)
    foreign: list[ResourceId] = field(default_factory=list)
    kept: list[tuple[ResourceId, str]] = field(default_factory=list)
    changed: list[ResourceId] = field(default_factory=list)
    left: dict[ResourceId, Kind] = field(default_factory=dict)
    errors: list[CcgpuError] = field(default_factory=list)

    def seen(self) -> set[ResourceId]:
        """The `key`s of all ids that something is known of."""
        kept = (id_ for id_, _ in self.kept)
        return {key(id_) for id_ in (*self.gone, *self.foreign, *kept, *self.changed, *self.left)}

    def add(self, more: "Removal") -> None:
        """Take in the result of a second removal."""
        self.gone += more.gone
        self.foreign += more.foreign
        self.kept += more.kept
        self.changed += more.changed
        self.left |= more.left
        self.errors += more.errors


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose resources may be removed: this deployment's, or only those of one of its runs.

    `judged`: the tags by which it was decided, by `key`; what has others now, or was not there to
    be judged, is not removed. `made`: the `key`s of what has perhaps been made just now: one 404
    does not say that it is not there. `inherited`: a group whose maker is gone, with the tags that
    say so.
    """

    deployment: str
    run: str | None = None
    promised: frozenset[ResourceId] = frozenset()  # keys of disks that a VM of ours has made
    judged: Mapping[ResourceId, Mapping[str, str]] | None = None
    made: frozenset[ResourceId] = frozenset()
    inherited: Mapping[ResourceId, Mapping[str, str]] = field(default_factory=dict)

    def has(self, id_: ResourceId, body: Body) -> bool:
        """Whether the live resource is this owner's."""
        if key(id_) in self.inherited:
            return self.inherited[key(id_)] == tags_of(body)
        if tag(body, DEPLOYMENT) is None and kind_of(id_) is Kind.DISK:
            return key(id_) in self.promised  # Azure gives a VM's disks no tags of their own
        mine = tag(body, DEPLOYMENT) == self.deployment
        return mine and (self.run is None or tag(body, RUN) == self.run)

    def as_judged(self, id_: ResourceId, body: Body) -> bool:
        """Whether nobody has taken it up since it was decided that it goes."""
        return self.judged is None or self.judged.get(key(id_)) == tags_of(body)


def remove(
    run: Run,
    targets: Mapping[ResourceId, Kind],
    owner: Owner,
    on_gone: Callable[[ResourceId], None],
) -> Removal:
    """Remove `targets` and what a VM among them brought along; report on each."""
    result = Removal()
    brought = _dependents(run, targets, owner, result)
    disks = {key(id_) for id_, kind in brought.items() if kind is Kind.DISK}
    with_vm = frozenset(key(id_) for id_ in brought)  # a VM that is seen shows what it has
    owner = replace(owner, promised=owner.promised | disks, made=owner.made - with_vm)
    named = {key(id_): (id_, kind) for id_, kind in (*brought.items(), *targets.items())}
    for stage in _STAGES:
        for id_, kind in sorted(named.values()):
            if kind in stage:
                run.cloud.scheduler.add(_one(run, kind, id_, owner, with_vm, result, on_gone))
        run.cloud.scheduler.run()
    return result


def _one(
    run: Run,
    kind: Kind,
    id_: ResourceId,
    owner: Owner,
    with_vm: frozenset[ResourceId],
    result: Removal,
    on_gone: Callable[[ResourceId], None],
) -> Task[None]:
    doing = f"deleting {id_}"
    try:
        body = yield from _read(run, kind, id_, owner, doing)
        if (yield from _stays(run, kind, id_, body, owner, result)):
            return
        if body is not None:
            run.tell("begin", doing, id_, kind, "delete")
            start = partial(_delete, run, kind, id_, owner)
            still = partial(owner.as_judged, id_)
            denied = yield from delete_and_wait(run, kind, id_, start, doing, still)
            result.errors += [denied] if denied is not None else []
        if body is not None or key(id_) in with_vm:
            run.tell("gone", doing, id_, kind, "delete")
            result.gone.append(id_)
        on_gone(id_)
    except CcgpuError as err:
        if err.code == _SHARED and (yield from _is_shared_now(run, id_, result)):
            return
        if isinstance(err, AlreadyExists) and owner.judged is not None:
            run.tell("note", f"{id_} has changed in the meantime: not deleted", id_, kind)
            result.changed.append(id_)
            return
        run.tell("failed", str(err), id_, kind, "delete")
        result.errors.append(err)
        result.left[id_] = kind


def _read(run: Run, kind: Kind, id_: ResourceId, owner: Owner, doing: str) -> Task[Body | None]:
    """The resource as it is; what was just made may not be seen everywhere yet."""
    get = partial(run.cloud.arm.get, kind, id_)
    body = yield from send_with_retry(run, get, doing)
    for _ in range(_LOOKS_AT_NEW - 1 if key(id_) in owner.made else 0):
        if body is not None:
            break
        yield Call(lambda: None, run.deadline.require(_APART, doing))
        body = yield from send_with_retry(run, get, doing)
    return body


def _delete(run: Run, kind: Kind, id_: ResourceId, owner: Owner) -> Pending | None:
    """Send the DELETE. What was judged is looked at in the same breath, before each attempt.

    So is a network: others may have put a subnet into it.

    Of our kinds only VMs take preconditions (azure-mgmt-compute, `etag` of their writes), and no
    document says that their DELETE looks at one: the look is what there is, the etag closes the gap
    after it where it works.
    """
    if owner.judged is None and kind is not Kind.VNET:
        return run.cloud.arm.delete(kind, id_)
    body = run.cloud.arm.get(kind, id_)
    if body is None:
        return None
    if not (owner.has(id_, body) and owner.as_judged(id_, body)):
        raise AlreadyExists(f"{id_} has changed since it was checked", code="Changed")
    if kind is Kind.VNET and foreign_in_network(body):
        raise AlreadyExists(f"{id_} is now used by others", code=_SHARED)
    etag = body.get("etag") if kind is Kind.VM else None
    return run.cloud.arm.delete(kind, id_, etag=etag)


def _stays(
    run: Run, kind: Kind, id_: ResourceId, body: Body | None, owner: Owner, result: Removal
) -> Task[bool]:
    """Whether it is not removed: not ours, nor after a change, nor a group with more in it."""
    if body is not None and not owner.has(id_, body):
        result.foreign.append(id_)
        return True
    if not result.changed and body is not None and kind is Kind.GROUP:
        return (yield from _holds_others(run, id_, body, owner, result))
    if not result.changed and body is not None and kind is Kind.VNET:
        return (yield from _is_shared(run, id_, body, result))
    return bool(result.changed)


def _is_shared_now(run: Run, network: ResourceId, result: Removal) -> Task[bool]:
    """As `_is_shared`, of a network into which others put something just before its DELETE."""
    try:
        body = yield from send_with_retry(
            run, partial(run.cloud.arm.get, Kind.VNET, network), "reading"
        )
        return body is not None and (yield from _is_shared(run, network, body, result))
    except CcgpuError:
        return False


def _is_shared(run: Run, network: ResourceId, body: Body, result: Removal) -> Task[bool]:
    """Whether a network stays because others have subnets in it.

    Ours goes, so that what it refers to can go too.
    """
    others = foreign_in_network(body)
    if not others:
        return False
    rest = without_own_subnet(body)
    if rest is not None:
        doing = f"removing our subnet from {network}"
        put = partial(run.cloud.arm.put, Resource(Kind.VNET, network, rest), etag=body.get("etag"))
        yield from write_and_wait(run, Kind.VNET, network, put, doing)
    named = ", ".join(f"{one.what} {one.name}" for one in others)
    result.kept.append((network, f"others use it: {named}"))
    return True


def _holds_others(
    run: Run, group: ResourceId, body: Body, owner: Owner, result: Removal
) -> Task[bool]:
    """Whether a group stays because of what else is in it; other deployments take it over."""
    gone = {key(id_) for id_ in result.gone}
    others = yield from find_foreign_contents(run, group, owner.deployment, gone=gone)
    if others.reason is None:
        return False
    result.kept.append((group, others.reason))
    mine = tag(body, DEPLOYMENT) == owner.deployment and owner.as_judged(group, body)
    if mine and others.deployments:
        yield from disown_group(run, group, body, owner.deployment)
    return True


def _dependents(
    run: Run, targets: Mapping[ResourceId, Kind], owner: Owner, result: Removal
) -> dict[ResourceId, Kind]:
    """What the VMs of ours among `targets` brought along, as far as Azure shows it now."""
    found: dict[ResourceId, Kind] = {}

    def look(id_: ResourceId) -> Task[None]:
        try:
            vm = yield from _read(run, Kind.VM, id_, owner, f"reading {id_}")
            if vm is not None and owner.has(id_, vm):
                found.update((yield from find_dependents(run, id_, vm)))
        except CcgpuError as err:
            result.errors.append(err)

    for id_, kind in targets.items():
        if kind is Kind.VM:
            run.cloud.scheduler.add(look(id_))
    run.cloud.scheduler.run()
    return found
