"""Resource groups: made at once, deleted with all that is in them.

A group's deletion takes what nothing outside the group points to; what is left keeps the group.
"""

import re

from ccgpu.fakearm import errors, kinds, lag, operations
from ccgpu.fakearm.call import (
    IN_GROUP,
    Call,
    Route,
    Routes,
    group_id,
    location_of,
    paged,
    require_group,
    tags_of,
)
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.resources.filters import is_by_tag, matching
from ccgpu.fakearm.wire import Answer, Body
from ccgpu.fakearm.world import Resource, World

# Microsoft Learn, "Naming rules and restrictions for Azure resources".
_NAME = re.compile(r"[\w.()-]{0,89}[\w()-]")


def put(call: Call) -> Answer:
    body, name = call.body(), call.names[1]
    if not _NAME.fullmatch(name):
        raise errors.invalid_group_name(name)
    id_ = group_id(call.world.subscription, name)
    old = call.world.find(id_)
    if old is not None and old.state == "Deleting":
        raise errors.group_being_deleted(name)
    location, tags = location_of(call, body, kinds.GROUP, old), tags_of(body)
    shown: Body = {
        "id": old.id if old else id_,
        "name": old.name if old else name,
        "type": kinds.GROUP,
        "location": location,
    }
    if tags is not None:
        shown["tags"] = tags
    shown["properties"] = {"provisioningState": "Succeeded"}
    group = Resource(shown["id"], kinds.GROUP, shown, old.created if old else call.world.at)
    call.world.save(group)
    return Answer(200 if old else 201, shown)


def get(call: Call) -> Answer:
    return Answer(200, require_group(call).body)


def exists(call: Call) -> Answer:
    found = call.world.find(group_id(call.world.subscription, call.names[1]))
    return Answer(204 if found else 404)


def patch(call: Call) -> Answer:
    group = require_group(call, write=True)
    group.body["tags"] = tracked.only_tags(call)
    call.world.save(group)
    return Answer(200, group.body)


def list_(call: Call) -> Answer:
    found = lag.listed(call.world, kinds.GROUP)
    return paged(call, matching(call.query.get("$filter"), [one.body for one in found]))


def delete(call: Call) -> Answer:
    group = require_group(call)
    running = operations.pending(call.world, group.key)
    if running:
        operation = running[0]
    else:
        group.state = "Deleting"
        call.world.save(group)
        seconds = call.world.seconds("group.delete")
        operation = operations.begin(call.world, "group.delete", group, seconds, family="group")
    location = operations.uri(call.world, operation, call.host)
    return Answer(202, None, {"Location": location, "Retry-After": "15"})


def deleted(world: World, _: Operation, group: Resource) -> Body | None:
    """The end of a deletion: all goes; or what outsiders hold stays, and so does the group."""
    inside = world.of_group(group.name)
    kept = _kept(world, inside, group)
    for one in inside:
        if one.key not in kept:
            operations.preempt(world, one)
            world.remove(one)
    if not kept:
        world.remove(group)
        return None
    group.state = "Succeeded"
    world.save(group)
    left = [one.id for one in inside if one.key in kept]
    listed = ", ".join(left)
    return errors.error(
        "ResourceGroupDeletionBlocked",
        f"Deletion of resource group '{group.name}' failed as resources with identifiers "
        f"'{listed}' could not be deleted. The provisioning state of the resource group will be "
        "rolled back. The tracking Id is not simulated. Please check audit logs for more details.",
        details=[
            {"target": id_, "message": f"The resource '{id_}' could not be deleted."}
            for id_ in left
        ],
    )


def _kept(world: World, inside: list[Resource], group: Resource) -> set[str]:
    """What a setting keeps, or somebody outside holds; and what these hold, and so on."""
    holders = {one.key: _holders(world, one) for one in inside}
    mine, survivors = f"{group.key}/", world.settings.at("survivors")
    more = {id_.lower() for id_ in survivors} & holders.keys()
    more |= {key for key, by in holders.items() if any(not one.startswith(mine) for one in by)}
    kept: set[str] = set()
    while more - kept:
        kept |= more
        more = {key for key, by in holders.items() if by & kept}
    return kept


def _holders(world: World, resource: Resource) -> set[str]:
    targets = [resource.id]
    if resource.kind == kinds.VNET:
        targets = [one["id"] for one in resource.properties["subnets"]]
    owners = {ref.owner for target in targets for ref in world.referrers(target)}
    vm = resource.body.get("managedBy")
    return owners | {vm.lower()} if vm else owners


def list_resources(call: Call) -> Answer:
    """The generic list, of a group or the subscription: what ARM itself knows of each resource.

    The SDK's docstring says that a list filtered by tag returns no tags; some recordings have them.
    """
    if len(call.names) > 1:
        require_group(call)
    found = lag.listed(call.world, None, *call.names[1:])
    wanted = call.query.get("$filter")
    bodies = matching(wanted, [_generic(one.body) for one in found])
    if is_by_tag(wanted) and call.world.settings.at("tagless_lists"):
        bodies = [{key: value for key, value in one.items() if key != "tags"} for one in bodies]
    return paged(call, bodies)


_GENERIC = ("id", "name", "type", "location", "sku", "identity", "zones", "managedBy", "tags")


def _generic(body: Body) -> Body:
    return {key: body[key] for key in _GENERIC if key in body}


_GROUPS = IN_GROUP.removesuffix("/*/providers/")
_LIST = frozenset({"$filter", "$skiptoken", "$top"})
ROUTES: Routes = {
    ("PUT", f"{_GROUPS}/*"): Route(put, kinds.RESOURCES_API),
    ("GET", f"{_GROUPS}/*"): Route(get, kinds.RESOURCES_API),
    ("HEAD", f"{_GROUPS}/*"): Route(exists, kinds.RESOURCES_API),
    ("PATCH", f"{_GROUPS}/*"): Route(patch, kinds.RESOURCES_API),
    ("DELETE", f"{_GROUPS}/*"): Route(delete, kinds.RESOURCES_API),
    ("GET", _GROUPS): Route(list_, kinds.RESOURCES_API, _LIST),
    ("GET", f"{_GROUPS}/*/resources"): Route(list_resources, kinds.RESOURCES_API, _LIST),
    ("GET", "subscriptions/*/resources"): Route(list_resources, kinds.RESOURCES_API, _LIST),
}
