"""Resource groups: created at once, deleted with their resources.

A resource that is referenced from outside the group stays, and so does the group.
"""

import re
from collections.abc import Set as AbstractSet
from functools import partial

from ccgpu.fakearm import errors, kinds, operations
from ccgpu.fakearm.call import (
    IN_GROUP,
    ArmCall,
    Route,
    Routes,
    group_id,
    read_location,
    read_tags,
    require_group,
)
from ccgpu.fakearm.clock import arm_time
from ccgpu.fakearm.filters import filters_by_tag
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.pages import resource_page
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.resources.uploads import has_access
from ccgpu.fakearm.wire import Body, FakeGap, Response
from ccgpu.fakearm.world import StoredResource, World

# Microsoft Learn, "Naming rules and restrictions for Azure resources".
_NAME = re.compile(r"[\w.()-]{0,89}[\w()-]")


def put_group(call: ArmCall) -> Response:
    body, name = call.body(), call.names[1]
    if not _NAME.fullmatch(name):
        raise errors.invalid_group_name(name)
    id_ = group_id(call.world.subscription, name)
    old = call.world.find(id_)
    if old is not None and old.state == "Deleting":
        raise errors.group_being_deleted(name)
    location, tags = read_location(call, body, kinds.GROUP, old), read_tags(body)
    shown: Body = {
        "id": old.id if old else id_,
        "name": old.name if old else name,
        "type": kinds.GROUP,
        "location": location,
    }
    if tags is not None:
        shown["tags"] = tags
    shown["properties"] = {"provisioningState": "Succeeded"}
    group = StoredResource(shown["id"], kinds.GROUP, shown, old.created if old else call.world.now)
    call.world.save(group)
    return Response(200 if old else 201, shown)


def get_group(call: ArmCall) -> Response:
    return Response(200, require_group(call).body)


def head_group(call: ArmCall) -> Response:
    found = call.world.find(group_id(call.world.subscription, call.names[1]))
    return Response(204 if found else 404)


def patch_group(call: ArmCall) -> Response:
    group = require_group(call, write=True)
    group.body["tags"] = tracked.read_tags_patch(call)
    call.world.save(group)
    return Response(200, group.body)


def list_groups(call: ArmCall) -> Response:
    return resource_page(call, kinds.GROUP, lambda one: one.body, "arm_page_size")


def delete_group(call: ArmCall) -> Response:
    group = require_group(call)
    running = operations.running_operations(call.world, group.key)
    if running:
        operation = running[0]
    else:
        group.state = "Deleting"
        call.world.save(group)
        seconds = call.world.duration("group.delete")
        operation = operations.begin(call.world, "group.delete", group, seconds, family="group")
    location = operations.operation_url(call.world, operation, call.host)
    return Response(202, None, {"Location": location, "Retry-After": "15"})


def finish_delete(world: World, _: Operation, group: StoredResource) -> Body | None:
    """End a deletion: delete everything, or fail and keep what is referenced from outside."""
    inside = world.list_group(group.name)
    kept = _kept_keys(world, inside, group)
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


def _kept_keys(world: World, inside: list[StoredResource], group: StoredResource) -> set[str]:
    """What a setting, an access to a disk or an outside reference keeps, and all they reference."""
    holders = {one.key: _referring_resources(world, one) for one in inside}
    mine, survivors = f"{group.key}/", world.settings.value("survivors")
    more = {id_.lower() for id_ in survivors} & holders.keys()
    more |= {one.key for one in inside if one.kind == kinds.DISK and has_access(one)}
    more |= {key for key, by in holders.items() if any(not one.startswith(mine) for one in by)}
    kept: set[str] = set()
    while more - kept:
        kept |= more
        more = {key for key, by in holders.items() if by & kept}
    return kept


def _referring_resources(world: World, resource: StoredResource) -> set[str]:
    targets = [resource.id]
    if resource.kind == kinds.VNET:
        targets = [one["id"] for one in resource.properties["subnets"]]
    owners = {ref.owner for target in targets for ref in world.references_to(target)}
    vm = resource.body.get("managedBy")
    return owners | {vm.lower()} if vm else owners


def list_resources(call: ArmCall) -> Response:
    """The generic list of a group or subscription, with the fields that ARM itself stores.

    The SDK's docstring says that a list filtered by tag returns no tags; some recordings have them.
    """
    if len(call.names) > 1:
        require_group(call)
    shown = {*_GENERIC_FIELDS}
    by_tag = filters_by_tag(call.query.get("$filter"))
    if by_tag and call.world.settings.value("tagless_lists"):
        shown.remove("tags")
    view = partial(_generic_body, shown=shown, more=_expanded_fields(call))
    return resource_page(call, None, view, "arm_page_size")


_GENERIC_FIELDS = (
    "id",
    "name",
    "type",
    "location",
    "sku",
    "identity",
    "zones",
    "managedBy",
    "tags",
)


# `changedTime` stays away: the fake does not keep it.
_EXPANDED = frozenset({"createdTime", "changedTime", "provisioningState"})


def _expanded_fields(call: ArmCall) -> frozenset[str]:
    """The fields that the option `$expand` asks for."""
    wanted = frozenset(filter(None, call.query.get("$expand", "").split(",")))
    if not wanted <= _EXPANDED:
        raise FakeGap(f"$expand={call.query['$expand']}")
    return wanted


def _generic_body(one: StoredResource, shown: AbstractSet[str], more: frozenset[str]) -> Body:
    body = {key: one.body[key] for key in _GENERIC_FIELDS if key in shown and key in one.body}
    if kinds.is_nested(one.kind):  # named with its parents
        body["name"] = "/".join(one.id.partition("/providers/")[2].split("/")[2::2])
    if "createdTime" in more:
        body["createdTime"] = arm_time(one.created)
    if "provisioningState" in more:
        body["provisioningState"] = one.state
    return body


_GROUPS = IN_GROUP.removesuffix("/*/providers/")
_LIST = frozenset({"$filter", "$skiptoken", "$top"})
_EXPANDABLE = _LIST | {"$expand"}
ROUTES: Routes = {
    ("PUT", f"{_GROUPS}/*"): Route(put_group, kinds.RESOURCES_API),
    ("GET", f"{_GROUPS}/*"): Route(get_group, kinds.RESOURCES_API),
    ("HEAD", f"{_GROUPS}/*"): Route(head_group, kinds.RESOURCES_API),
    ("PATCH", f"{_GROUPS}/*"): Route(patch_group, kinds.RESOURCES_API),
    ("DELETE", f"{_GROUPS}/*"): Route(delete_group, kinds.RESOURCES_API),
    ("GET", _GROUPS): Route(list_groups, kinds.RESOURCES_API, _LIST),
    ("GET", f"{_GROUPS}/*/resources"): Route(list_resources, kinds.RESOURCES_API, _EXPANDABLE),
    ("GET", "subscriptions/*/resources"): Route(list_resources, kinds.RESOURCES_API, _EXPANDABLE),
}
