"""Network interfaces: created by their own PUT, or inline with a VM.

A PUT is complete when it is answered (22 of 24 recorded ones had no asynchronous header).
"""

import ipaddress
from typing import Any

from ccgpu.fakearm import errors, kinds, network_errors
from ccgpu.fakearm.call import ArmCall
from ccgpu.fakearm.resources import references, tracked
from ccgpu.fakearm.wire import Body, FakeGap, Response
from ccgpu.fakearm.world import Reference, StoredResource, World

# Azure reserves the first four addresses of a subnet and the last one: Microsoft Learn, "Virtual
# Network frequently asked questions".
_RESERVED_FIRST = 4


def view(world: World, nic: StoredResource) -> Body:
    body = {**nic.body, "properties": dict(nic.properties)}
    for ref in world.references_to(nic.id, "vm-nic"):
        body["properties"]["virtualMachine"] = {"id": ref.source}
        body["properties"]["primary"] = True
        body["properties"]["macAddress"] = nic.internal_state["mac"]
    return body


def _refuse_delete(world: World, nic: StoredResource) -> None:
    for ref in world.references_to(nic.id, "vm-nic"):
        raise network_errors.nic_in_use(nic.id, ref.source)
    if nic.internal_state.get("reservedUntil", 0) > world.now:
        raise network_errors.nic_reserved(nic.internal_state["reservedFor"])


RULES = tracked.KindRules(
    kinds.NIC,
    view=view,
    refuse_delete=_refuse_delete,
    delete_seconds="nic.delete",
    delete_after=4,
    get_options=frozenset({"$expand"}),
)


def put(call: ArmCall) -> Response:
    wanted = tracked.validate_put(call, kinds.NIC)
    nic = build_interface(call.world, wanted)
    save_interface(call.world, nic)
    body = view(call.world, nic)
    return Response(wanted.status, body)


def build_interface(world: World, wanted: tracked.PutRequest) -> StoredResource:
    """The interface that `wanted` describes. Checks everything it references."""
    given, old = wanted.properties, wanted.existing
    configurations = given.get("ipConfigurations") or []
    if not configurations:
        raise errors.invalid_parameter(
            "ipConfigurations", f"Network interface {wanted.id} must have an IP configuration."
        )
    group = references.reference_id(given, "networkSecurityGroup")
    if group:
        references.require_resource(world, group, kinds.NSG, wanted.id, wanted.location)
    properties: Body = {
        "resourceGuid": old.properties["resourceGuid"] if old else world.new_guid(),
        "ipConfigurations": _ip_configurations(world, wanted, configurations),
        "dnsSettings": {
            "dnsServers": [],
            "appliedDnsServers": [],
            "internalDomainNameSuffix": f"{world.new_hex(26)}.xx.internal.cloudapp.net",
        },
        "enableAcceleratedNetworking": bool(given.get("enableAcceleratedNetworking")),
        "vnetEncryptionSupported": False,
        "enableIPForwarding": bool(given.get("enableIPForwarding")),
        "hostedWorkloads": [],
        "tapConfigurations": [],
        "nicType": "Standard",
    }
    if group:
        properties["networkSecurityGroup"] = {"id": group}
    nic = tracked.build_resource(world, kinds.NIC, wanted, properties, "Succeeded")
    for one in properties["ipConfigurations"]:
        one["etag"] = nic.body["etag"]
    nic.internal_state.setdefault("mac", _new_mac(world))
    return nic


def _new_mac(world: World) -> str:
    tail = world.new_hex(6).upper()
    return f"00-0D-3A-{tail[:2]}-{tail[2:4]}-{tail[4:]}"


def _ip_configurations(world: World, wanted: tracked.PutRequest, given: list[Any]) -> list[Body]:
    made: list[Body] = []
    for one in given:
        made.append(_ip_configuration(world, wanted, one, made))
    return made


def _ip_configuration(
    world: World, wanted: tracked.PutRequest, given: Any, others: list[Body]
) -> Body:
    name, properties = given.get("name"), given.get("properties") or {}
    source = f"{wanted.id}/ipConfigurations/{name}"
    subnet_id = references.reference_id(properties, "subnet")
    if not subnet_id:
        raise errors.bad_json("Required property 'subnet' not found")
    if properties.get("privateIPAllocationMethod") == "Static":
        raise FakeGap("a static private address")
    _, subnet = references.require_subnet(world, subnet_id, wanted.id, wanted.location)
    answer: Body = {
        "provisioningState": "Succeeded",
        "privateIPAddress": _private_address(world, source, subnet, others),
        "privateIPAllocationMethod": properties.get("privateIPAllocationMethod", "Dynamic"),
        "subnet": {"id": subnet_id},
        "primary": properties.get("primary", not others),
        "privateIPAddressVersion": "IPv4",
    }
    public = references.reference_id(properties, "publicIPAddress")
    if public:
        _check_public_ip(world, wanted, public)
        answer["publicIPAddress"] = properties["publicIPAddress"]
    return {
        "name": name,
        "id": source,
        "type": f"{kinds.NIC}/ipConfigurations",
        "properties": answer,
    }


def _check_public_ip(world: World, wanted: tracked.PutRequest, public: str) -> None:
    found = references.require_resource(world, public, kinds.PUBLIC_IP, wanted.id, wanted.location)
    for ref in world.references_to(found.id):
        if ref.owner != wanted.id.lower():
            raise network_errors.address_taken(found.id, ref.source, wanted.id)


def _address_number(configuration: Body) -> int:
    """The private address as a number, which compares fast."""
    return int(ipaddress.IPv4Address(configuration["properties"]["privateIPAddress"]))


def _private_address(world: World, source: str, subnet: Body, others: list[Body]) -> str:
    """The interface's own address, or the first free one of the subnet."""
    noted = {
        key: int(number) for key, number in world.reference_details(subnet["id"], "ip").items()
    }
    if source in noted:
        return str(ipaddress.IPv4Address(noted[source]))
    taken = {*noted.values(), *(_address_number(one) for one in others)}
    network = ipaddress.IPv4Network(subnet["properties"]["addressPrefix"])
    first = int(network.network_address)
    for number in range(first + _RESERVED_FIRST, first + network.num_addresses - 1):
        if number not in taken:
            return str(ipaddress.IPv4Address(number))
    raise errors.Refused(
        400,
        "SubnetIsFull",
        f"Subnet {subnet['name']} with address prefix {subnet['properties']['addressPrefix']} does "
        "not have enough capacity for 1 IP addresses.",
        details=[],
    )


def save_interface(world: World, nic: StoredResource) -> None:
    """Store the interface and its references."""
    world.save(nic)
    refs = []
    for one in nic.properties["ipConfigurations"]:
        properties = one["properties"]
        subnet = properties["subnet"]["id"]
        refs.append(Reference(subnet, one["id"], nic.key, "ip", str(_address_number(one))))
        if public := references.reference_id(properties, "publicIPAddress"):
            refs.append(Reference(public, one["id"], nic.key, "pip"))
    if group := references.reference_id(nic.properties, "networkSecurityGroup"):
        refs.append(Reference(group, nic.id, nic.key, "nic-nsg"))
    world.set_references(nic, refs)
