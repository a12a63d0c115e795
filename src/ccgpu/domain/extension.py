"""Which resources an extend writes. Pure functions.

The lease of a deployment ends at the latest of its `ccgpu-expires` tags, so not every resource
needs the new end. It must be on the VM, and on something that remains if the VM is deleted by other
means: on the group if it is the deployment's, else on each resource that is not deleted with the
VM. While an operation on the VM is in progress, the VM cannot be written, and a `gc` under way may
delete it; then both are written, since `gc` keeps each resource that has changed. A resource with a
later tag would keep the lease longer, so it gets the new end, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.lease import is_later
from ccgpu.domain.resource import DEPLOYMENT, EXPIRES, Body, ResourceId, key, kind_of, tag
from ccgpu.domain.vm_view import ids_deleted_with


@dataclass(frozen=True, slots=True)
class LeaseTarget:
    """A resource that may be given the end of a lease.

    must_exist: A 404 is an error; else it means that there is nothing to write. only_if_later: It
    is only written if its tag is later than the new end.
    """

    id: ResourceId
    kind: Kind
    must_exist: bool = True
    only_if_later: bool = False

    def needs(self, body: Body, expires: str) -> bool:
        """Whether the resource with this GET body is to be written."""
        return not self.only_if_later or is_later(tag(body, EXPIRES), expires)


def is_shorter(vm: Body, expires: str) -> bool:
    """Whether the VM's own end is later than the new one, or not a time.

    Then other resources may have a later end, too, and a list that lags may hide it.
    """
    return is_later(tag(vm, EXPIRES), expires)


def further_targets(
    names: Names,
    listed: Mapping[ResourceId, Body],
    vm: Body,
    expires: str,
    *,
    group_suffices: bool,
    dependents: Mapping[ResourceId, Kind],
) -> tuple[LeaseTarget, ...]:
    """The targets besides the VM and the group.

    Args:
        names: The names of the deployment's resources.
        listed: The list entries of its resources, by `key`; some may lack their tags.
        vm: The VM's body before it is written.
        expires: The new end of the lease.
        group_suffices: Whether the group's new end protects what outlives the VM.
        dependents: The VM's dependents, if the lease becomes shorter.
    """
    kinds = {**names.shared, names.os_disk: Kind.DISK, **dependents}
    named = {key(id_): (id_, kind) for id_, kind in kinds.items()}
    for at, entry in listed.items():
        if (kind := kind_of(entry["id"])) is not None:
            named.setdefault(at, (ResourceId(entry["id"]), kind))
    for at in (key(names.vm), key(names.of(Kind.GROUP))):
        named.pop(at, None)
    with_vm = set(map(key, ids_deleted_with(vm)))
    protecting = set() if group_suffices else named.keys() - with_vm
    shorter = is_shorter(vm, expires)
    doubtful = {at for at in listed if _may_be_later(listed[at], names, vm, expires)}
    return tuple(
        LeaseTarget(id_, kind, must_exist=False, only_if_later=at not in protecting)
        for at, (id_, kind) in sorted(named.items())
        if at in protecting or shorter or at in doubtful
    )


def _may_be_later(entry: Body, names: Names, vm: Body, expires: str) -> bool:
    """Whether a list entry leaves open that the resource's end is later than the VM's or the new.

    An end later than the VM's is rare. If the list is outdated, reading the resource shows the old
    end of the lease.
    """
    if tag(entry, DEPLOYMENT) != names.deployment:
        return True
    end, of_vm = tag(entry, EXPIRES), tag(vm, EXPIRES)
    return is_later(end, expires) or (of_vm is not None and is_later(end, of_vm))
