"""NAT gateways: they hold public IP addresses, and subnets reference them."""

from ccgpu.fakearm import kinds, network_errors, operations
from ccgpu.fakearm.call import ArmCall, accepted_response
from ccgpu.fakearm.resources import references, tracked
from ccgpu.fakearm.wire import Body, Response
from ccgpu.fakearm.world import Reference, StoredResource, World


def view(world: World, gateway: StoredResource) -> Body:
    users = world.references_to(gateway.id, "nat")
    if not users:
        return gateway.body
    subnets = [{"id": ref.source} for ref in users]
    return {**gateway.body, "properties": {**gateway.properties, "subnets": subnets}}


def _refuse_delete(world: World, gateway: StoredResource) -> None:
    users = world.references_to(gateway.id, "nat")
    if users:
        raise network_errors.gateway_in_use(gateway.id, [ref.source for ref in users])


RULES = tracked.KindRules(
    kinds.NAT,
    view=view,
    refuse_delete=_refuse_delete,
    delete_after=10,
    get_options=frozenset({"$expand"}),
)


def put(call: ArmCall) -> Response:
    wanted = tracked.validate_put(call, kinds.NAT)
    old = wanted.existing
    addresses = wanted.properties.get("publicIpAddresses") or []
    for one in addresses:
        found = references.require_resource(
            call.world, one["id"], kinds.PUBLIC_IP, wanted.id, wanted.location
        )
        _refuse_other_owner(call.world, found, wanted.id)
    properties = {
        "resourceGuid": old.properties["resourceGuid"] if old else call.world.new_guid(),
        "idleTimeoutInMinutes": wanted.properties.get("idleTimeoutInMinutes", 4),
        "publicIpAddresses": [{"id": one["id"]} for one in addresses],
    }
    gateway = tracked.build_resource(call.world, kinds.NAT, wanted, properties, "Updating")
    gateway.body.setdefault("sku", {"name": "Standard", "tier": "Regional"})
    call.world.save(gateway)
    call.world.set_references(
        gateway, [Reference(one["id"], gateway.id, gateway.key, "nat-pip") for one in addresses]
    )
    call.world.start_billing(gateway)
    operation = operations.begin(call.world, "write", gateway, call.world.duration("nat"))
    after = 1 if old is None else None
    return accepted_response(
        call, wanted.status, operation, view(call.world, gateway), retry_after=after
    )


def _refuse_other_owner(world: World, address: StoredResource, gateway: str) -> None:
    for ref in world.references_to(address.id):
        if ref.owner != gateway.lower():
            raise network_errors.address_taken(address.id, ref.source, gateway)
