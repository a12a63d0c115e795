"""A VM's dependents: the NICs, public IPs and disks that Azure creates with it.

Azure names the NICs and public IPs, so their ids are read from the VM. ccgpu names the disks, and
they carry no tag at first. A disk with another name, in another group, or that stays when the VM is
deleted was attached by other means and does not belong to the deployment.
"""

import re
from collections.abc import Mapping
from functools import partial

from ccgpu.azure.long_running import send_with_retry
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Body, ResourceId, key, name_of
from ccgpu.domain.vm_view import (
    attached_disk_ids,
    ip_configurations,
    managed_disk_ids,
    network_interface_ids,
    public_ip_id,
)
from ccgpu.scheduling.scheduler import Task, together


def find_dependents(
    run: Run, vm_id: ResourceId, vm: Body, known: Mapping[ResourceId, Body] | None = None
) -> Task[list[tuple[ResourceId, Kind]]]:
    """The ids and kinds of a VM's dependents that Azure shows now.

    `known`: bodies by `key` that this command has just read and need not read again.
    """
    nics = network_interface_ids(vm)
    bodies = {id_: (known or {}).get(key(id_)) for id_ in nics}
    unread = [id_ for id_, body in bodies.items() if body is None]
    read = yield from together(
        send_with_retry(run, partial(run.cloud.arm.get, Kind.NIC, id_), f"reading {id_}")
        for id_ in unread
    )
    bodies |= zip(unread, read, strict=True)
    dependents = [(id_, Kind.DISK) for id_ in vm_disk_ids(vm_id, vm)]
    for id_ in nics:
        dependents.append((id_, Kind.NIC))
        dependents += [(ip, Kind.PUBLIC_IP) for ip in nic_public_ip_ids(bodies[id_])]
    return dependents


def vm_disk_ids(vm_id: ResourceId, vm: Body) -> list[ResourceId]:
    """The VM's disks that ccgpu made. Azure shows none while it is creating the VM."""
    group = re.escape(key(vm_id).rpartition("/providers/")[0])
    name = re.escape(key(name_of(vm_id)))
    ours = re.compile(rf"{group}/providers/microsoft\.compute/disks/{name}-(osdisk|data\d+)")
    attached = set(map(key, attached_disk_ids(vm)))
    ids = managed_disk_ids(vm)
    return [id_ for id_ in ids if key(id_) not in attached and ours.fullmatch(key(id_))]


def nic_public_ip_ids(nic: Body | None) -> list[ResourceId]:
    """The public IPs that a network interface refers to."""
    ids = map(public_ip_id, ip_configurations(nic))
    return [id_ for id_ in ids if id_ is not None]
