"""The resources that a deployment owns, as Azure has them now.

They are found by the names that ccgpu gives, by their tags in Azure's lists, and as the VM's
dependents. A list may lag behind, so it only adds ids to read; the tags in a resource's own GET
decide who owns it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.lease import Lease, lease_of
from ccgpu.domain.removal import Ownership, vm_has_lost_tag
from ccgpu.domain.resource import DEPLOYMENT, Body, ResourceId, key, tag
from ccgpu.scheduling.scheduler import Task
from ccgpu.workflows.discovery.dependents import find_dependents
from ccgpu.workflows.discovery.snapshot import Actual, Snapshot, possible_ids, read_now
from ccgpu.workflows.resource_groups import find_orphaned_group


@dataclass(frozen=True, slots=True)
class OwnedResources:
    """The existing resources of one deployment: kinds by id, bodies by the id's `key`.

    untagged_vm: the VM, if it has lost its tag, so that it does not count as the deployment's.
    """

    names: Names
    kinds: Mapping[ResourceId, Kind]
    bodies: Actual
    ownership: Ownership
    untagged_vm: ResourceId | None = None

    @property
    def vm(self) -> Body | None:
        """The VM, with its instance view."""
        return self.bodies.get(key(self.names.vm))

    @property
    def lease(self) -> Lease:
        """The deployment's lease."""
        return lease_of(self.bodies.values(), self.vm)


def read_owned_resources(
    run: Run, names: Names, listed: Mapping[ResourceId, Kind], known: Snapshot | None = None
) -> Task[OwnedResources]:
    """Read every id that may be the deployment's, and keep what it owns.

    Args:
        run: The command under way.
        names: The names of the deployment's resources.
        listed: Further ids, from Azure's lists.
        known: What this command has just read and need not read again.
    """
    known = known or Snapshot(names, {})
    ids: dict[ResourceId, tuple[ResourceId, Kind]] = {}
    for id_, kind in (*possible_ids(names).items(), *listed.items()):
        ids.setdefault(key(id_), (id_, kind))  # our spelling of an id comes first, and stays
    bodies = yield from read_now(run, dict(ids.values()), known)
    disks: set[ResourceId] = set()
    vm = bodies.get(key(names.vm))
    if vm is not None and tag(vm, DEPLOYMENT) == names.deployment:
        known = replace(known, bodies={**known.bodies, **bodies})
        dependents = dict((yield from find_dependents(run, names.vm, vm, known.bodies)))
        disks |= {key(id_) for id_, kind in dependents.items() if kind is Kind.DISK}
        for id_, kind in dependents.items():
            ids.setdefault(key(id_), (id_, kind))
        bodies |= yield from read_now(run, dependents, known)
    if tag(bodies.get(key(names.of(Kind.GROUP))), DEPLOYMENT) == names.deployment:
        disks.add(key(names.os_disk))  # in a group that ccgpu created, ccgpu created this disk
    ownership = Ownership(names.deployment, disks=frozenset(disks))
    ours = {at: body for at, body in bodies.items() if ownership.includes(at, body)}
    kinds = dict(ids[at] for at in ids if at in ours)
    is_lost = vm is not None and vm_has_lost_tag(vm, ours.keys())
    return OwnedResources(names, kinds, ours, ownership, names.vm if is_lost else None)


def with_orphaned_group(run: Run, live: OwnedResources) -> Task[OwnedResources]:
    """The same resources, with the group if it is orphaned."""
    group = live.names.of(Kind.GROUP)
    orphaned = yield from find_orphaned_group(run, live.names)
    if not orphaned:
        return live
    ownership = replace(live.ownership, orphaned=orphaned)
    body: Body = {"id": group, "tags": dict(orphaned[key(group)])}
    bodies = live.bodies | {key(group): body}
    return OwnedResources(live.names, {**live.kinds, group: Kind.GROUP}, bodies, ownership)
