"""Public IP addresses: Standard and static ones, out of the ranges kept for documentation."""

import ipaddress

from ccgpu.fakearm import errors, kinds, network_errors, operations
from ccgpu.fakearm.call import Call, accepted
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.wire import Answer, Body
from ccgpu.fakearm.world import Ref, Resource, World

# RFC 5737: nobody answers there.
_POOLS = (ipaddress.IPv4Network("198.51.100.0/24"), ipaddress.IPv4Network("203.0.113.0/24"))
_POOL = [str(address) for pool in _POOLS for address in pool.hosts()]
# The caller of the simulated subscription comes from this one (`FakeCredential`).
CALLER = "203.0.113.7"
_POOL.remove(CALLER)


def view(world: World, address: Resource) -> Body:
    body = {**address.body, "properties": dict(address.properties)}
    for role, key in (("pip", "ipConfiguration"), ("nat-pip", "natGateway")):
        for ref in world.referrers(address.id, role):
            body["properties"][key] = {"id": ref.source}
    return body


def _refuse_delete(world: World, address: Resource) -> None:
    for ref in world.referrers(address.id):
        raise network_errors.address_in_use(address.id, ref.source)


RULES = tracked.Rules(
    kinds.PUBLIC_IP,
    view=view,
    refuse_delete=_refuse_delete,
    delete_after=10,
    get_options=frozenset({"$expand"}),
)


def put(call: Call) -> Answer:
    wanted = tracked.draft(call, kinds.PUBLIC_IP)
    address = make(call.world, wanted)
    call.world.save(address)
    call.world.bill(address)
    operation = operations.begin(call.world, "address", address, call.world.seconds("publicIp"))
    after = 1 if wanted.existing is None else None
    return accepted(call, wanted.status, operation, view(call.world, address), retry_after=after)


def make(world: World, wanted: tracked.Draft) -> Resource:
    """The address that `wanted` asks for, not yet assigned."""
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
        "resourceGuid": old.properties["resourceGuid"] if old else world.guid(),
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
    address = tracked.resource_of(world, kinds.PUBLIC_IP, wanted, properties, "Updating")
    address.body["sku"] = {"name": sku["name"], "tier": sku.get("tier", "Regional")}
    return address


def assigned(world: World, operation: Operation, address: Resource) -> Body | None:
    """The end of a write: the address is known from now on, and stays."""
    assign(world, address)
    return tracked.succeeded(world, operation, address)


def assign(world: World, address: Resource) -> None:
    """Give it an address that no other resource has, as long as there is one."""
    if "ipAddress" in address.properties:
        return
    place = int(world.digest(8), 16) % len(_POOL)
    ordered = _POOL[place:] + _POOL[:place]
    chosen = next((one for one in ordered if not world.details(f"ip:{one}", "address")), ordered[0])
    address.properties["ipAddress"] = chosen
    world.refer(address, [Ref(f"ip:{chosen}", address.id, address.key, "address")])


def is_free(world: World, text: str, address: Resource) -> bool:
    """Whether no other resource has this address; from now on `address` has it."""
    if any(ref.owner != address.key for ref in world.referrers(f"ip:{text}", "address")):
        return False
    world.refer(address, [Ref(f"ip:{text}", address.id, address.key, "address")])
    return True
