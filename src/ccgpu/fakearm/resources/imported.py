"""Resources that are stored as given when `seeding` adds them.

ARM's own PUT of key vaults and policy assignments is not simulated.
"""

from ccgpu.fakearm import kinds
from ccgpu.fakearm.call import IN_GROUP, ArmCall, Route, Routes
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.wire import Body, Response
from ccgpu.fakearm.world import StoredResource, World

_COPIED = ("location", "tags", "sku", "identity")


def store_imported(world: World, id_: str, kind: str, given: Body) -> None:
    """Store the resource as given."""
    body: Body = {"id": id_, "name": id_.rsplit("/", 1)[1], "type": kind}
    body |= {key: given[key] for key in _COPIED if given.get(key) is not None}
    body["properties"] = {**(given.get("properties") or {}), "provisioningState": "Succeeded"}
    old = world.find(id_)
    world.save(StoredResource(id_, kind, body, old.created if old else world.now))


def get_vault(call: ArmCall) -> Response:
    return Response(200, tracked.require(call, kinds.VAULT).body)


ROUTES: Routes = {("GET", f"{IN_GROUP}{kinds.VAULT.lower()}/*"): Route(get_vault, kinds.VAULT_API)}
