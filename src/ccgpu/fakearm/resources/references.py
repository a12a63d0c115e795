"""References between network resources: their target must exist and be settled.

Codes and texts are recorded (azure-service-operator): a missing target is an
`InvalidResourceReference`, one that is being written is a `RetryableError`.
"""

from ccgpu.fakearm import kinds, network_errors
from ccgpu.fakearm.resources.tracked import operation_name
from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import StoredResource, World


def reference_id(value: Body, key: str) -> str | None:
    """The id of the sub-resource `key`, if it is given."""
    part = value.get(key)
    return str(part["id"]) if part and part.get("id") else None


def require_resource(
    world: World, id_: str, kind: str, source: str, location: str
) -> StoredResource:
    """The resource of `kind` that `source` references as `id_`."""
    found = world.find(id_)
    if found is None or found.kind != kind or found.location != location:
        raise network_errors.invalid_reference(id_, source)
    if found.state in ("Updating", "Deleting"):
        raise network_errors.reference_not_ready(
            found.id, source, found.state, operation_name(found)
        )
    return found


def require_subnet(
    world: World, id_: str, source: str, location: str
) -> tuple[StoredResource, Body]:
    """The subnet that `source` references, and its network."""
    network_id, _, name = id_.rpartition("/subnets/")
    network = world.find(network_id) if network_id else None
    if network is None or network.kind != kinds.VNET or network.location != location:
        raise network_errors.invalid_reference(id_, source)
    found = find_subnet(network, name)
    if found is None:
        raise network_errors.invalid_reference(id_, source)
    state = found["properties"]["provisioningState"]
    if state != "Succeeded":
        operation = "PutSubnetOperation" if state == "Updating" else "DeleteSubnetOperation"
        raise network_errors.reference_not_ready(found["id"], source, state, operation)
    return network, found


def find_subnet(network: StoredResource, name: str) -> Body | None:
    """The network's subnet of that name."""
    subnets: list[Body] = network.properties["subnets"]
    return next((one for one in subnets if one["name"].lower() == name.lower()), None)
