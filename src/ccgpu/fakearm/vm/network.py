"""The interfaces of a VM: existing ones, or ones that are created with it.

Azure names those it creates: the configuration's name and a suffix.
"""

from typing import Any

from ccgpu.fakearm import compute_errors, errors, kinds, network_errors
from ccgpu.fakearm.call import resource_id
from ccgpu.fakearm.resources import addresses, interfaces
from ccgpu.fakearm.resources.tracked import PutRequest
from ccgpu.fakearm.skus import VmSize
from ccgpu.fakearm.vm.rules import required_value, value_at
from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import World

# VirtualMachineNetworkInterfaceConfiguration came with the network API of this date.
_OLDEST_API = "2020-11-01"


def attach_interfaces(world: World, wanted: PutRequest, size: VmSize) -> list[Body]:
    """The VM's `networkInterfaces`: the existing ones it names, or new ones, which it stores."""
    profile = required_value(wanted.properties, "networkProfile")
    named, inline = profile.get("networkInterfaces"), profile.get("networkInterfaceConfigurations")
    if named and inline:
        raise errors.invalid_parameter(
            "networkProfile",
            "The parameters 'networkInterfaces' and 'networkInterfaceConfigurations' cannot both "
            "be set.",
        )
    if inline:
        if (
            str(required_value(wanted.properties, "networkProfile", "networkApiVersion"))
            < _OLDEST_API
        ):
            raise errors.invalid_parameter(
                "networkProfile.networkApiVersion",
                f"The value '{profile['networkApiVersion']}' of parameter 'networkApiVersion' is "
                "not supported.",
            )
        return [_new_interface(world, wanted, size, one) for one in inline]
    if not named:
        raise errors.invalid_parameter(
            "networkProfile.networkInterfaces",
            "Required parameter 'networkProfile.networkInterfaces' is missing (null).",
        )
    return [_existing_interface(world, wanted, size, one) for one in named]


def _existing_interface(world: World, wanted: PutRequest, size: VmSize, given: Body) -> Body:
    nic = world.find(str(given.get("id")))
    if nic is None or nic.kind != kinds.NIC:
        raise compute_errors.reference_not_found(str(given.get("id")))
    if nic.location != wanted.location:
        raise network_errors.invalid_reference(nic.id, wanted.id)
    for ref in world.references_to(nic.id, "vm-nic"):
        raise network_errors.nic_in_use(nic.id, ref.source)
    reserved = nic.internal_state.get("reservedFor", wanted.id)
    if (
        nic.internal_state.get("reservedUntil", 0) > world.now
        and reserved.lower() != wanted.id.lower()
    ):
        raise network_errors.nic_reserved(reserved)
    if nic.properties["enableAcceleratedNetworking"] and not size.accelerated:
        raise network_errors.accelerated_networking(size.name, nic.id)
    shown: Body = {"id": nic.id}
    if given.get("properties"):
        shown["properties"] = given["properties"]
    return shown


def _new_interface(world: World, wanted: PutRequest, size: VmSize, given: Any) -> Body:
    """Create one inline interface with its public IP addresses."""
    properties = given.get("properties") or {}
    name = f"{required_value(given, 'name')}-{world.new_hex(8)}"
    id_ = _new_id(world, wanted, kinds.NIC, name)
    if properties.get("enableAcceleratedNetworking") and not size.accelerated:
        raise network_errors.accelerated_networking(size.name, id_)
    configurations = [
        _ip_configuration(world, wanted, one) for one in properties.get("ipConfigurations") or ()
    ]
    body = {"properties": {**properties, "ipConfigurations": configurations}}
    nic = interfaces.build_interface(
        world, PutRequest(id_, name, wanted.location, given.get("tags") or {}, body, None)
    )
    interfaces.save_interface(world, nic)
    option = properties.get("deleteOption", "Detach")
    return {
        "id": nic.id,
        "properties": {"primary": properties.get("primary", True), "deleteOption": option},
    }


def _new_id(world: World, wanted: PutRequest, kind: str, name: str) -> str:
    return resource_id(world.subscription, wanted.id.split("/")[4], kind, name)


def _ip_configuration(world: World, wanted: PutRequest, given: Any) -> Body:
    """An ipConfiguration of the interface. Its inline public IP is created and referenced."""
    properties = dict(given.get("properties") or {})
    inline = properties.pop("publicIPAddressConfiguration", None)
    if inline:
        name = f"{required_value(inline, 'name')}-{world.new_hex(8)}"
        draft = PutRequest(
            _new_id(world, wanted, kinds.PUBLIC_IP, name),
            name,
            wanted.location,
            inline.get("tags") or {},
            {
                "sku": inline.get("sku"),
                "zones": wanted.body.get("zones"),
                "properties": inline.get("properties"),
            },
            None,
        )
        address = addresses.build_address(world, draft)
        address.state = "Succeeded"
        addresses.assign_address(world, address)
        world.save(address)
        world.start_billing(address)
        option = value_at(inline, "properties", "deleteOption") or "Detach"
        properties["publicIPAddress"] = {"id": address.id, "properties": {"deleteOption": option}}
    return {"name": given.get("name"), "properties": properties}
