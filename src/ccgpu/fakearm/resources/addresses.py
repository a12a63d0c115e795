"""Public IP addresses: Standard and static, from the ranges reserved for documentation."""

import ipaddress

from ccgpu.fakearm import errors, kinds, network_errors, operations
from ccgpu.fakearm.call import ArmCall, accepted_response
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.wire import Body, Response
from ccgpu.fakearm.world import Reference, StoredResource, World

# RFC 5737: addresses for documentation.
_POOLS = (ipaddress.IPv4Network("198.51.100.0/24"), ipaddress.IPv4Network("203.0.113.0/24"))
_ADDRESSES = [str(address) for pool in _POOLS for address in pool.hosts()]
# The address of the simulated caller (`FakeCredential`).
CALLER_ADDRESS = "203.0.113.7"
_ADDRESSES.remove(CALLER_ADDRESS)


def is_public(address: str) -> bool:
    """Whether it is in the ranges of which public addresses are given out."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # a name
        return False
    return any(found in pool for pool in _POOLS)


def view(world: World, address: StoredResource) -> Body:
    body = {**address.body, "properties": dict(address.properties)}
    for role, key in (("pip", "ipConfiguration"), ("nat-pip", "natGateway")):
        for ref in world.references_to(address.id, role):
            body["properties"][key] = {"id": ref.source}
    return body


def _refuse_delete(world: World, address: StoredResource) -> None:
    for ref in world.references_to(address.id):
        raise network_errors.address_in_use(address.id, ref.source)


RULES = tracked.KindRules(
    kinds.PUBLIC_IP,
    view=view,
    refuse_delete=_refuse_delete,
    delete_after=10,
    get_options=frozenset({"$expand"}),
)


def put(call: ArmCall) -> Response:
    wanted = tracked.validate_put(call, kinds.PUBLIC_IP)
    address = build_address(call.world, wanted)
    call.world.save(address)
    call.world.start_billing(address)
    operation = operations.begin(call.world, "address", address, call.world.duration("publicIp"))
    after = 1 if wanted.existing is None else None
    return accepted_response(
        call, wanted.status, operation, view(call.world, address), retry_after=after
    )


def build_address(world: World, wanted: tracked.PutRequest) -> StoredResource:
    """The public IP that `wanted` describes, without an address yet."""
    given, sku = wanted.properties, wanted.body.get("sku") or {}
    if sku.get("name", "Basic") == "Basic":
        raise errors.Refused(
            400,
            "IPv4BasicSkuPublicIpCountLimitReached",
            "Cannot create more than 0 IPv4 Basic SKU public IP addresses for this subscription "
            "in this region.",
            details=[],
        )
    if given.get("publicIPAllocationMethod", "Static") != "Static":
        raise errors.Refused(
            400,
            "StandardSkuPublicIPAddressesMustBeStatic",
            f"Public IP address {wanted.id} of the Standard SKU must have the allocation method "
            "Static.",
            details=[],
        )
    old = wanted.existing
    properties: Body = {
        "resourceGuid": old.properties["resourceGuid"] if old else world.new_guid(),
        "publicIPAddressVersion": given.get("publicIPAddressVersion", "IPv4"),
        "publicIPAllocationMethod": "Static",
        "idleTimeoutInMinutes": given.get("idleTimeoutInMinutes", 4),
        "ipTags": [],
        "ddosSettings": {"protectionMode": "VirtualNetworkInherited"},
    }
    if old and "ipAddress" in old.properties:
        properties["ipAddress"] = old.properties["ipAddress"]
    if given.get("deleteOption"):
        properties["deleteOption"] = given["deleteOption"]
    address = tracked.build_resource(world, kinds.PUBLIC_IP, wanted, properties, "Updating")
    address.body["sku"] = {"name": sku["name"], "tier": sku.get("tier", "Regional")}
    return address


def finish_write(world: World, operation: Operation, address: StoredResource) -> Body | None:
    """End a write: the address is assigned and stays."""
    assign_address(world, address)
    return tracked.finish_write(world, operation, address)


def assign_address(world: World, address: StoredResource) -> None:
    """Assign an unused address, as long as there is one."""
    if "ipAddress" in address.properties:
        return
    place = int(world.new_hex(8), 16) % len(_ADDRESSES)
    ordered = _ADDRESSES[place:] + _ADDRESSES[:place]
    chosen = next(
        (one for one in ordered if not world.reference_details(f"ip:{one}", "address")), ordered[0]
    )
    address.properties["ipAddress"] = chosen
    world.set_references(address, [Reference(f"ip:{chosen}", address.id, address.key, "address")])


def claim_address(world: World, text: str, address: StoredResource) -> bool:
    """Claim this address for the resource; False if another resource has it."""
    if any(ref.owner != address.key for ref in world.references_to(f"ip:{text}", "address")):
        return False
    world.set_references(address, [Reference(f"ip:{text}", address.id, address.key, "address")])
    return True
