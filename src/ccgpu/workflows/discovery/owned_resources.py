"""All that is a deployment's, as Azure has it now: by its names, by its tags, around its VM.

A list may lag behind, so it only adds ids to look at; whose a resource is, its live tags say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.lease import Lease, lease_of
from ccgpu.domain.removal import Ownership
from ccgpu.domain.resource import DEPLOYMENT, Body, ResourceId, key, tag
from ccgpu.workflows.discovery.dependents import find_dependents
from ccgpu.workflows.discovery.snapshot import Actual, Snapshot, possible_ids, read_now


@dataclass(frozen=True, slots=True)
class OwnedResources:
    """What there is of a deployment: kinds by id, bodies by the id's `key`; nothing of others'."""

    names: Names
    kinds: Mapping[ResourceId, Kind]
    bodies: Actual
    ownership: Ownership

    @property
    def vm(self) -> Body | None:
        """The VM, with its instance view."""
        return self.bodies.get(key(self.names.vm))

    @property
    def lease(self) -> Lease:
        """Until when it is wanted."""
        return lease_of(self.bodies.values(), self.vm)


def read_owned_resources(
    run: Run, names: Names, listed: Mapping[ResourceId, Kind], known: Snapshot | None = None
) -> OwnedResources:
    """Look at every id that may be the deployment's; `listed` are those that a list names.

    What is `known`, because this command has just read it, is not read again.
    """
    known = known or Snapshot(names, {})
    ids: dict[ResourceId, tuple[ResourceId, Kind]] = {}
    for id_, kind in (*possible_ids(names).items(), *listed.items()):
        ids.setdefault(key(id_), (id_, kind))  # in two spellings it is ours that counts
    bodies = read_now(run, dict(ids.values()), known)
    disks: set[ResourceId] = set()
    vm = bodies.get(key(names.vm))
    if vm is not None and tag(vm, DEPLOYMENT) == names.deployment:
        known = replace(known, bodies={**known.bodies, **bodies})
        around = dict(run_task(run, find_dependents(run, names.vm, vm, known.bodies)))
        disks |= {key(id_) for id_, kind in around.items() if kind is Kind.DISK}
        for id_, kind in around.items():
            ids.setdefault(key(id_), (id_, kind))
        bodies |= read_now(run, around, known)
    if tag(bodies.get(key(names.of(Kind.GROUP))), DEPLOYMENT) == names.deployment:
        disks.add(key(names.os_disk))  # in our own group its disk can only be ours
    ownership = Ownership(names.deployment, disks=frozenset(disks))
    ours = {at: body for at, body in bodies.items() if ownership.includes(at, body)}
    return OwnedResources(names, dict(ids[at] for at in ids if at in ours), ours, ownership)
