"""What users bring and the fake only reads: key vaults, image galleries, locks, assignments.

They come into being by `seeding` alone; ARM's own PUT of them is not simulated.
"""

from functools import partial

from ccgpu.fakearm import kinds
from ccgpu.fakearm.call import IN_GROUP, Call, Route, Routes
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.wire import Answer, Body
from ccgpu.fakearm.world import Resource, World

_TOLD = ("location", "tags", "sku", "identity")


def put(world: World, id_: str, kind: str, given: Body) -> None:
    """Keep it as it was given."""
    body: Body = {"id": id_, "name": id_.rsplit("/", 1)[1], "type": kind}
    body |= {key: given[key] for key in _TOLD if given.get(key) is not None}
    body["properties"] = {**(given.get("properties") or {}), "provisioningState": "Succeeded"}
    old = world.find(id_)
    world.save(Resource(id_, kind, body, old.created if old else world.at))


def get(kind: str, call: Call) -> Answer:
    return Answer(200, tracked.require(call, kind).body)


ROUTES: Routes = {
    ("GET", f"{IN_GROUP}{kind.lower()}/*"): Route(partial(get, kind), api)
    for kind, api in ((kinds.VAULT, kinds.VAULT_API), (kinds.GALLERY, kinds.GALLERY_API))
}
