"""`ccgpu extend`: set the end of a deployment's lease, counted from Azure's current time.

The lease is the latest of the `ccgpu-expires` tags. So while the tags are being written, it ends no
earlier than the earlier of its old and its new end. `domain.extension` chooses what is written.
`gc` deletes the VM first, and reads it immediately before, so the VM is tagged first. A VM with an
operation in progress cannot be tagged yet; then it is tagged last, and the other tags protect it
meanwhile.
"""

from dataclasses import dataclass
from datetime import timedelta

from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.domain import time_limits
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.extension import LeaseTarget, further_targets, is_shorter
from ccgpu.domain.lease import lease_of
from ccgpu.domain.resource import DEPLOYMENT, ResourceId, key, own_group, state_of, tag
from ccgpu.domain.status import AT_REST
from ccgpu.domain.ttl import text
from ccgpu.errors import Leftover, NotFound
from ccgpu.scheduling.clock import rfc3339
from ccgpu.workflows.discovery.dependents import find_dependents
from ccgpu.workflows.discovery.leftovers import (
    converting_interrupt,
    recall_leftovers,
    reporting_leftovers,
)
from ccgpu.workflows.discovery.listed_deployment import ListedDeployment, find_listed_deployment
from ccgpu.workflows.discovery.owned_resources import OwnedResources, read_owned_resources
from ccgpu.workflows.discovery.search import find_deployment, not_found, require_vm
from ccgpu.workflows.discovery.snapshot import possible_ids
from ccgpu.workflows.expiry_tags import ExpiryWriter, ReadResources, set_expiry, tagged_resources

TIMEOUT = time_limits.EXTEND


@dataclass(frozen=True, slots=True)
class ExtendOutcome:
    """The old end of the lease (None: it had none), its new end, and the tagged resources."""

    name: str
    group: str
    before: str | None
    expires: str
    resources: tuple[ResourceId, ...]


def extend(
    cloud: AzureContext,
    name: str,
    ttl: timedelta,
    group: str | None = None,
    *,
    timeout: float = TIMEOUT,
    listen: Listener = ignore_event,
) -> ExtendOutcome:
    """Set the end of the deployment's lease; raises `NotFound` if there is no deployment.

    Without a VM, or if several groups may contain the deployment, all is read as by `show`.
    """
    run = Run.begin(cloud, timeout, listen)
    names = Names(cloud.subscription, group or own_group(name), name)
    known, listed_kinds = possible_ids(names), dict[ResourceId, Kind]()
    what = f"not all of {name} is marked with its new end"
    hint = f"`ccgpu extend {name} --ttl {text(ttl)}` continues"

    def recall() -> tuple[Leftover, ...]:
        return recall_leftovers(run, names, further=listed_kinds)

    with converting_interrupt(what, hint, recall), reporting_leftovers(run, lambda: known, name):
        listed = find_listed_deployment(run, name, group)
        if listed is not None:
            names, listed_kinds = listed.names, listed.kinds
            known |= possible_ids(names) | listed_kinds
            return _extend_listed(run, listed, ttl)
        found = run_task(run, find_deployment(run, name, group))
        names = found.names
        known |= possible_ids(names) | found.kinds
        owned = run_task(run, read_owned_resources(run, names, found.kinds, found.snapshot))
        return _extend_all(run, owned, ttl)


def _extend_listed(run: Run, listed: ListedDeployment, ttl: timedelta) -> ExtendOutcome:
    """Extend a deployment with a VM, which has just been read."""
    names = listed.names
    writer = ExpiryWriter(run, names.deployment, _new_end(run, ttl))
    if state_of(listed.vm) in AT_REST:
        read = _write_vm(writer, listed) | _write_others(writer, listed)
    else:
        read = _write_others(writer, listed) | _write_vm(writer, listed)
    ids = tuple(sorted(one.id for one in read.values() if one is not None and one.written))
    before = _end_before(listed, read)
    return ExtendOutcome(names.deployment, names.group, before, writer.expires, ids)


def _write_vm(writer: ExpiryWriter, listed: ListedDeployment) -> ReadResources:
    """Write the VM; while an operation on it is in progress, wait for its end."""
    vm = LeaseTarget(listed.names.vm, Kind.VM)
    known = listed.vm if state_of(listed.vm) in AT_REST else None
    done = run_task(writer.run, writer.write(vm, known))
    if done is None:
        raise NotFound(
            f"extending {vm.id}: it is not {listed.names.deployment}'s any more",
            code="ResourceNotFound",
        )
    return {key(vm.id): done}


def _write_others(writer: ExpiryWriter, listed: ListedDeployment) -> ReadResources:
    """Write the group if it is the deployment's, and what else `further_targets` chooses.

    If nothing has protected the deployment, the VM must still exist.
    """
    run, names = writer.run, listed.names
    group = LeaseTarget(names.of(Kind.GROUP), Kind.GROUP)
    read = writer.write_each([group])
    shorter = is_shorter(listed.vm, writer.expires)
    dependents = run_task(run, find_dependents(run, names.vm, listed.vm)) if shorter else ()
    more = further_targets(
        names,
        listed.entries,
        listed.vm,
        writer.expires,
        group_suffices=read[key(group.id)] is not None and state_of(listed.vm) in AT_REST,
        dependents=dict(dependents),
    )
    read |= writer.write_each(more)
    if not any(one is not None and one.written for one in read.values()):
        require_vm(run, names)
    return read


def _end_before(listed: ListedDeployment, read: ReadResources) -> str | None:
    """The old end of the lease: from the bodies that were read, else from the list entries."""
    name = listed.names.deployment
    bodies = {at: one.body for at, one in read.items() if one is not None}
    rest = [
        entry
        for at, entry in listed.entries.items()
        if at not in read and tag(entry, DEPLOYMENT) == name
    ]
    return lease_of([*bodies.values(), *rest], bodies[key(listed.names.vm)]).expires


def _extend_all(run: Run, owned: OwnedResources, ttl: timedelta) -> ExtendOutcome:
    """Extend a deployment by writing each of its resources."""
    name = owned.names.deployment
    if not tagged_resources(owned):
        raise not_found(run.cloud, name)
    expires = _new_end(run, ttl)
    set_expiry(run, owned, expires)
    ids = tuple(sorted(tagged_resources(owned)))
    return ExtendOutcome(name, owned.names.group, owned.lease.expires, expires, ids)


def _new_end(run: Run, ttl: timedelta) -> str:
    return rfc3339(run.server_clock.now() + ttl.total_seconds())
