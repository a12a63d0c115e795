"""GET bodies after a PUT: without write-only values, with Azure's additions."""

import copy
from collections.abc import Mapping

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Body, Resource, ResourceId, key


def get_bodies(
    resources: Mapping[ResourceId, Resource], *, deallocated: bool = False
) -> dict[ResourceId, Body]:
    """The bodies of the resources, the VM's disks and its interface, by `key` of the id."""
    found: dict[ResourceId, Body] = {}
    for id_, resource in resources.items():
        body = copy.deepcopy(dict(resource.body)) | {"id": id_}
        body["properties"] = dict(body.get("properties") or {}) | {"provisioningState": "Succeeded"}
        found[key(id_)] = body
        if resource.kind is Kind.VM:
            found |= _expand_vm(resource, body, deallocated)
    return found


def _expand_vm(vm: Resource, body: Body, deallocated: bool) -> dict[ResourceId, Body]:
    """Change the VM's body to its GET form. Returns the bodies of its dependents."""
    group = vm.id.split("/providers/")[0]
    [nic] = body["properties"]["networkProfile"]["networkInterfaceConfigurations"]
    id_ = f"{group}/providers/Microsoft.Network/networkInterfaces/{nic['name']}_1a2b"
    body["properties"]["networkProfile"] = {
        "networkInterfaces": [{"id": id_, "properties": {"primary": True}}]
    }
    storage = body["properties"]["storageProfile"]
    found = {key(id_): _interface_body(nic, group)}
    for disk in (storage["osDisk"], *storage["dataDisks"]):
        managed = disk["managedDisk"]
        managed["id"] = f"{group}/providers/Microsoft.Compute/disks/{disk['name']}"
        found[key(managed["id"])] = {
            "id": managed["id"],
            "sku": {"name": managed["storageAccountType"]},
            "properties": {"diskSizeGB": disk["diskSizeGB"]},
        }
        if deallocated:
            del disk["diskSizeGB"], managed["storageAccountType"]
    return found


def _interface_body(nic: Body, group: str) -> Body:
    addresses = []
    for one in nic["properties"]["ipConfigurations"]:
        asked = one["properties"]
        answered = {"subnet": asked["subnet"], "privateIPAddress": "10.71.0.4"}
        if "publicIPAddressConfiguration" in asked:
            ip = asked["publicIPAddressConfiguration"]["name"]
            id_ = f"{group}/providers/Microsoft.Network/publicIPAddresses/{ip}"
            answered["publicIPAddress"] = {"id": id_}
        addresses.append({"name": one["name"], "properties": answered})
    return {"tags": nic["tags"], "properties": {"ipConfigurations": addresses}}
