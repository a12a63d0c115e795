"""What Azure makes along with a VM: inline NICs, their public IPs, and the disks.

Azure names NICs and IPs, so their ids are read back from the VM. Disks have the names we chose;
a disk with another name was attached by somebody else, and is none of ours.
"""

import re
from collections.abc import Iterator
from functools import partial

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Body, ResourceId, name_of
from ccgpu.workflows.requests import Asking, Run, ask


def dependents(run: Run, vm_id: ResourceId, vm: Body) -> Asking[list[tuple[ResourceId, Kind]]]:
    """The ids and kinds of a VM's dependents, as far as Azure shows them now."""
    properties = vm.get("properties") or {}
    found = [(id_, Kind.DISK) for id_ in _disks(name_of(vm_id), properties)]
    for nic in (properties.get("networkProfile") or {}).get("networkInterfaces") or ():
        id_ = ResourceId(nic["id"])
        found.append((id_, Kind.NIC))
        body = yield from ask(run, partial(run.cloud.arm.get, Kind.NIC, id_), f"reading {id_}")
        found += [(ip, Kind.PUBLIC_IP) for ip in _public_ips(body)]
    return found


def _disks(deployment: str, properties: Body) -> Iterator[ResourceId]:
    """The VM's disks that have our names; none is shown while the VM is being created."""
    storage = properties.get("storageProfile") or {}
    ours = re.compile(rf"{re.escape(deployment)}-(osdisk|data\d+)", re.IGNORECASE)
    for disk in (storage.get("osDisk") or {}, *(storage.get("dataDisks") or ())):
        id_ = (disk.get("managedDisk") or {}).get("id")
        if id_ and ours.fullmatch(name_of(id_)):
            yield ResourceId(id_)


def _public_ips(nic: Body | None) -> Iterator[ResourceId]:
    for config in ((nic or {}).get("properties") or {}).get("ipConfigurations") or ():
        ip = (config.get("properties") or {}).get("publicIPAddress") or {}
        if "id" in ip:
            yield ResourceId(ip["id"])
