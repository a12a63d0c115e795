"""Virtual networks and their subnets. A subnet is part of its network's body.

A network and its subnets take one write at a time; a second one is refused with
`AnotherOperationInProgress`.
"""

import ipaddress
from typing import Any

from ccgpu.fakearm import errors, kinds, network_errors, operations
from ccgpu.fakearm.call import (
    IN_GROUP,
    ArmCall,
    Route,
    Routes,
    accepted_response,
    check_etag,
    new_etag,
    page_response,
    require_group,
)
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.resources import references, tracked
from ccgpu.fakearm.wire import Body, Response
from ccgpu.fakearm.world import Reference, StoredResource, World

SUBNET = f"{kinds.VNET}/subnets"


def view(world: World, network: StoredResource) -> Body:
    subnets = [_subnet_view(world, one) for one in network.properties["subnets"]]
    return {**network.body, "properties": {**network.properties, "subnets": subnets}}


def _subnet_view(world: World, subnet: Body) -> Body:
    """The subnet with its users. Azure upper-cases their group and name, as recorded."""
    users = world.references_to(subnet["id"], "ip")
    if not users:
        return subnet
    shown = [{"id": _upper_case_names(ref.source)} for ref in users]
    return {**subnet, "properties": {**subnet["properties"], "ipConfigurations": shown}}


def _upper_case_names(id_: str) -> str:
    parts = id_.split("/")
    for place in (4, 8, 10):
        parts[place] = parts[place].upper()
    return "/".join(parts)


def _refuse_delete(world: World, network: StoredResource) -> None:
    for subnet in network.properties["subnets"]:
        _refuse_subnet_delete(world, subnet)


def _refuse_subnet_delete(world: World, subnet: Body) -> None:
    users = world.references_to(subnet["id"], "ip")
    if users:
        raise network_errors.subnet_in_use(subnet["name"], users[0].source)


RULES = tracked.KindRules(
    kinds.VNET,
    view=view,
    refuse_delete=_refuse_delete,
    delete_after=10,
    get_options=frozenset({"$expand"}),
)


def put(call: ArmCall) -> Response:
    wanted = tracked.validate_put(call, kinds.VNET)
    given, old = wanted.properties, wanted.existing
    prefixes = (given.get("addressSpace") or {}).get("addressPrefixes") or []
    if not prefixes:
        raise errors.bad_json("Required property 'addressSpace' not found")
    if "subnets" in given or old is None:
        subnets = [_subnet_body(call.world, wanted.id, one) for one in given.get("subnets") or []]
    else:
        subnets = old.properties["subnets"]  # an update that omits subnets keeps them
    _check_ranges(wanted.name, prefixes, subnets)
    _check_removed_subnets(call.world, old, subnets)
    properties = {
        "resourceGuid": old.properties["resourceGuid"] if old else call.world.new_guid(),
        "addressSpace": {"addressPrefixes": prefixes},
        "subnets": subnets,
        "virtualNetworkPeerings": [],
        "enableDdosProtection": False,
    }
    network = tracked.build_resource(call.world, kinds.VNET, wanted, properties, "Updating")
    _check_references(call.world, network)
    call.world.save(network)
    call.world.set_references(network, _network_references(network))
    operation = operations.begin(call.world, "write", network, call.world.duration("vnet"))
    after = 3 if old is None else None
    return accepted_response(
        call, wanted.status, operation, view(call.world, network), retry_after=after
    )


def _check_removed_subnets(world: World, old: StoredResource | None, subnets: list[Body]) -> None:
    kept = {one["name"].lower() for one in subnets}
    for subnet in old.properties["subnets"] if old else ():
        if subnet["name"].lower() not in kept:
            _refuse_subnet_delete(world, subnet)


def _subnet_body(world: World, network: str, given: Any) -> Body:
    name, properties = given.get("name"), given.get("properties") or {}
    prefix = properties.get("addressPrefix") or next(
        iter(properties.get("addressPrefixes") or ()), None
    )
    if not name or not prefix:
        raise errors.bad_json("Required property 'addressPrefix' not found")
    answer: Body = {"provisioningState": "Updating", "addressPrefix": prefix}
    for key in ("networkSecurityGroup", "natGateway", "defaultOutboundAccess", "serviceEndpoints"):
        if properties.get(key) is not None:
            answer[key] = properties[key]
    return {
        "name": name,
        "id": f"{network}/subnets/{name}",
        "etag": new_etag(world, kinds.VNET),
        "properties": {
            **answer,
            "delegations": [],
            "privateEndpointNetworkPolicies": "Disabled",
            "privateLinkServiceNetworkPolicies": "Enabled",
        },
        "type": SUBNET,
    }


def _check_ranges(network: str, prefixes: list[str], subnets: list[Body]) -> None:
    spaces = [_parse_prefix(prefix) for prefix in prefixes]
    seen: list[ipaddress.IPv4Network] = []
    for subnet in subnets:
        name, own = subnet["name"], _parse_prefix(subnet["properties"]["addressPrefix"])
        if not any(own.subnet_of(space) for space in spaces):
            raise errors.Refused(
                400,
                "NetcfgSubnetRangeOutsideVnet",
                f"Subnet '{name}' is not valid because its IP address range is outside the IP "
                f"address range of virtual network '{network}'.",
                details=[],
            )
        if any(own.overlaps(other) for other in seen):
            raise errors.Refused(
                400,
                "NetcfgSubnetRangesOverlap",
                f"Subnet '{name}' is not valid because its IP address range overlaps with that of "
                f"an existing subnet in virtual network '{network}'.",
                details=[],
            )
        seen.append(own)


def _parse_prefix(prefix: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(prefix)
    except ValueError as err:
        raise errors.Refused(
            400, "InvalidAddressPrefixFormat", f"Address prefix {prefix} is not valid.", details=[]
        ) from err


_REFERENCE_KEYS = {
    "networkSecurityGroup": (kinds.NSG, "subnet-nsg"),
    "natGateway": (kinds.NAT, "nat"),
}


def _check_references(world: World, network: StoredResource) -> None:
    for ref in _network_references(network):
        kind = next(kind for kind, role in _REFERENCE_KEYS.values() if role == ref.role)
        references.require_resource(world, ref.target, kind, ref.source, network.location)


def _network_references(network: StoredResource) -> list[Reference]:
    return [
        Reference(target, subnet["id"], network.key, role)
        for subnet in network.properties["subnets"]
        for key, (_, role) in _REFERENCE_KEYS.items()
        if (target := references.reference_id(subnet["properties"], key))
    ]


def finish_write(world: World, _: Operation, network: StoredResource) -> Body | None:
    """End any write to the network or to one of its subnets."""
    for subnet in network.properties["subnets"]:
        if subnet["properties"]["provisioningState"] != "Succeeded":
            subnet["properties"]["provisioningState"] = "Succeeded"
            subnet["etag"] = new_etag(world, kinds.VNET)
    return tracked.finish_write(world, _, network)


def finish_subnet_delete(
    world: World, operation: Operation, network: StoredResource
) -> Body | None:
    subnets = network.properties["subnets"]
    network.properties["subnets"] = [
        one for one in subnets if one["name"].lower() != operation.data["subnet"]
    ]
    world.set_references(network, _network_references(network))
    return tracked.finish_write(world, operation, network)


def _require_network(call: ArmCall, *, write: bool = False) -> StoredResource:
    require_group(call, write=write)
    network = call.world.find(call.resource_id(kinds.VNET))
    if network is None:
        raise errors.parent_not_found(call.names[2])
    return network


def get_subnet(call: ArmCall) -> Response:
    require_group(call)
    network = call.world.find(call.resource_id(kinds.VNET))
    name = call.names[3]
    found = references.find_subnet(network, name) if network else None
    if network is None:
        raise tracked.not_found_error(kinds.VNET, f"{call.names[2]}/subnets/{name}", call.names[1])
    if found is None:
        raise errors.not_found(f"Resource {network.id}/subnets/{name} not found.", details=[])
    return Response(200, _subnet_view(call.world, found), {"ETag": found["etag"]})


def list_subnets(call: ArmCall) -> Response:
    network = _require_network(call)
    return page_response(
        call, [_subnet_view(call.world, one) for one in network.properties["subnets"]]
    )


def put_subnet(call: ArmCall) -> Response:
    network = _require_network(call, write=True)
    tracked.refuse_while_busy(call, network)
    subnet = _subnet_body(call.world, network.id, {**call.body(), "name": call.names[3]})
    old = references.find_subnet(network, subnet["name"])
    if old:
        subnet |= {"name": old["name"], "id": old["id"]}
    check_etag(call.request.headers.get("If-Match"), old["etag"] if old else None, subnet["id"])
    kept = [one for one in network.properties["subnets"] if one is not old]
    prefixes = network.properties["addressSpace"]["addressPrefixes"]
    _check_ranges(network.name, prefixes, [*kept, subnet])
    network.properties["subnets"] = [*kept, subnet]
    _check_references(call.world, network)
    network.state = "Updating"
    call.world.save(network)
    call.world.set_references(network, _network_references(network))
    operation = operations.begin(call.world, "write", network, call.world.duration("subnet"))
    return accepted_response(call, 200 if old else 201, operation, subnet, retry_after=3)


def delete_subnet(call: ArmCall) -> Response:
    require_group(call)
    network = call.world.find(call.resource_id(kinds.VNET))
    found = references.find_subnet(network, call.names[3]) if network else None
    if network is None or found is None:
        return Response(204)
    check_etag(call.request.headers.get("If-Match"), found["etag"], found["id"])
    tracked.refuse_while_busy(call, network)
    _refuse_subnet_delete(call.world, found)
    network.state = "Updating"
    found["properties"]["provisioningState"] = "Deleting"
    call.world.save(network)
    seconds = call.world.duration("network.delete")
    name = found["name"].lower()
    operation = operations.begin(call.world, "subnet.delete", network, seconds, subnet=name)
    return accepted_response(call, 202, operation, None, retry_after=10)


_ONE = f"{IN_GROUP}{SUBNET.split('/', maxsplit=1)[0].lower()}/virtualnetworks/*/subnets"
SUBNET_ROUTES: Routes = {
    ("GET", f"{_ONE}/*"): Route(get_subnet, kinds.NETWORK_API),
    ("PUT", f"{_ONE}/*"): Route(put_subnet, kinds.NETWORK_API),
    ("DELETE", f"{_ONE}/*"): Route(delete_subnet, kinds.NETWORK_API),
    ("GET", _ONE): Route(list_subnets, kinds.NETWORK_API, frozenset({"$skiptoken"})),
}
