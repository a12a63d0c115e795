"""What all resource types in a group share: GET, PATCH of tags, DELETE, lists.

`KindRules` describes a type: its view, what prevents its deletion, and how long that takes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ccgpu.fakearm import compute_errors, errors, kinds, network_errors, operations
from ccgpu.fakearm.call import (
    IN_GROUP,
    IN_SUBSCRIPTION,
    ArmCall,
    Handler,
    Route,
    Routes,
    accepted_response,
    check_preconditions,
    new_etag,
    read_location,
    read_tags,
    require_group,
)
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.pages import resource_page
from ccgpu.fakearm.wire import Body, FakeGap, Response
from ccgpu.fakearm.world import StoredResource, World


def _stored_body(_: World, resource: StoredResource) -> Body:
    return resource.body


def _allow_delete(_: World, __: StoredResource) -> None:
    """Nothing prevents the deletion."""


@dataclass(frozen=True, slots=True)
class KindRules:
    """`delete_after` is the recorded Retry-After of an accepted delete."""

    kind: str
    view: Callable[[World, StoredResource], Body] = _stored_body
    refuse_delete: Callable[[World, StoredResource], None] = _allow_delete
    delete_seconds: str = "network.delete"
    delete_after: int | None = None
    get_options: frozenset[str] = frozenset()
    delete_options: frozenset[str] = frozenset()


def kind_routes(rules: KindRules, put: Handler, **other: Handler) -> Routes:
    """The routes of a type. `other` replaces a common handler: get, patch, delete, list."""
    api, path = kinds.API[rules.kind], kinds.list_path(rules.kind)
    one, here = f"{IN_GROUP}{path}/*", f"{IN_GROUP}{path}"
    lister = Route(other.get("list", partial(list_, rules)), api, frozenset({"$skiptoken"}))
    everywhere = (
        {} if kinds.is_nested(rules.kind) else {("GET", f"{IN_SUBSCRIPTION}{path}"): lister}
    )
    return {
        ("PUT", one): Route(put, api),
        ("GET", one): Route(other.get("get", partial(get, rules)), api, rules.get_options),
        ("PATCH", one): Route(other.get("patch", partial(patch, rules)), api),
        ("DELETE", one): Route(
            other.get("delete", partial(delete, rules)), api, rules.delete_options
        ),
        ("GET", here): lister,
        **everywhere,
    }


def require(call: ArmCall, kind: str) -> StoredResource:
    """The resource in the path, or ARM's 404."""
    require_group(call)
    found = call.world.find(call.resource_id(kind))
    if found is None:
        namespace, word, name = call.resource_id(kind).partition("/providers/")[2].split("/", 2)
        raise not_found_error(f"{namespace}/{word}", name, call.names[1])
    return found


def require_parent(call: ArmCall, kind: str, *, write: bool = False) -> StoredResource:
    """What the path's resources of a nested type are part of. A write needs it settled."""
    require_group(call, write=write)
    parent = call.world.find(call.parent_id(kind))
    if parent is None:
        raise errors.parent_not_found("/".join(call.names[2 : kind.count("/") + 1]))
    if write and not parent.settled:
        raise compute_errors.concurrent_request()
    return parent


def not_found_error(kind: str, name: str, group: str) -> errors.Refused:
    """The gateway's 404 for most types; the disk provider has its own text."""
    if kind == kinds.DISK:
        return errors.not_found(f"Disk {name} is not found.")
    if kind == kinds.DES:
        return errors.not_found(f"DiskEncryptionSet '{name}' was not found.")
    return errors.resource_not_found(kind, name, group)


def get(rules: KindRules, call: ArmCall) -> Response:
    found = require(call, rules.kind)
    body = rules.view(call.world, found)
    return Response(200, body, {"ETag": body["etag"]} if "etag" in body else {})


def list_(rules: KindRules, call: ArmCall) -> Response:
    if len(call.names) > 1:
        require_group(call)
    within = require_parent(call, rules.kind).id if kinds.is_nested(rules.kind) else None
    return resource_page(call, rules.kind, partial(rules.view, call.world), within=within)


def patch(rules: KindRules, call: ArmCall) -> Response:
    """Replace the tags at once. Anything else in the body is a gap."""
    found = require(call, rules.kind)
    require_group(call, write=True)
    tags = read_tags_patch(call)
    refuse_while_busy(call, found)
    found.body["tags"] = tags
    if "etag" in found.body:
        found.body["etag"] = new_etag(call.world, rules.kind, found.body["etag"])
    call.world.save(found)
    return Response(200, rules.view(call.world, found))


def read_tags_patch(call: ArmCall) -> dict[str, str]:
    body = call.body()
    if set(body) != {"tags"}:
        raise FakeGap(f"a PATCH of {sorted(body)}: the fake knows tags alone")
    return read_tags(body) or {}


def delete(rules: KindRules, call: ArmCall) -> Response:
    require_group(call)
    found = call.world.find(call.resource_id(rules.kind))
    if found is None:
        return Response(204)
    check_preconditions(call, found, found.id)
    operation = _running_delete(call.world, found)
    if operation is None:
        refuse_while_busy(call, found)
        rules.refuse_delete(call.world, found)
        operation = begin_delete(call.world, found, rules.delete_seconds)
    answer = accepted_response(call, 202, operation, None, retry_after=rules.delete_after)
    if found.kind == kinds.NIC:  # recorded as 202 and as 200, both with both headers
        status = call.world.settings.value("nic_delete_status")
        return Response(status, answer.body, answer.headers)
    return answer


def _running_delete(world: World, found: StoredResource) -> Operation | None:
    """The delete that is already running."""
    running = operations.running_operations(world, found.key)
    return next((one for one in running if one.action == "delete"), None)


def begin_delete(world: World, found: StoredResource, seconds: str) -> Operation:
    found.state = "Deleting"
    world.save(found)
    return operations.begin(world, "delete", found, world.duration(seconds))


def finish_delete(world: World, _: Operation, target: StoredResource) -> Body | None:
    world.remove(target)
    return None


def refuse_while_busy(call: ArmCall, found: StoredResource) -> None:
    """A resource takes one write at a time. Each provider has its own error."""
    if found.settled:
        return
    operation = operations.running_operations(call.world, found.key)[-1]
    if found.kind == kinds.VNET:
        raise network_errors.another_operation(
            operations.operation_url(call.world, operation, call.host)
        )
    if found.kind.startswith("Microsoft.Network/"):
        seconds = max(1, int(operation.due - call.world.now))
        raise network_errors.resource_busy(found.id, operation_name(found), operation.id, seconds)
    if found.kind == kinds.VM and found.state == "Deleting":
        raise compute_errors.marked_for_deletion(found.name)
    raise compute_errors.concurrent_request()


def operation_name(resource: StoredResource) -> str:
    """The network provider's name for the running write, as in its errors."""
    verb = "Delete" if resource.state == "Deleting" else "Put"
    noun = {
        kinds.VNET: "VirtualNetwork",
        kinds.NSG: "NetworkSecurityGroup",
        kinds.PUBLIC_IP: "PublicIpAddress",
        kinds.NAT: "NatGateway",
        kinds.NIC: "NetworkInterface",
    }[resource.kind]
    return f"{verb}{noun}Operation"


@dataclass(frozen=True, slots=True)
class PutRequest:
    """A PUT that passed the checks of every type, and the existing resource."""

    id: str
    name: str
    location: str
    tags: dict[str, str] | None
    body: Body
    existing: StoredResource | None

    @property
    def status(self) -> int:
        return 201 if self.existing is None else 200

    @property
    def properties(self) -> Body:
        properties: Any = self.body.get("properties") or {}
        if not isinstance(properties, dict):
            raise errors.bad_json("the properties must be an object")
        return properties


# Naming rules: Microsoft Learn, "Naming rules and restrictions for Azure resources".
_NAME_PATTERN = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,%d}[A-Za-z0-9_])?"
_NAME_PATTERNS = {
    kinds.VNET: (re.compile(_NAME_PATTERN % 62 + r"(?<=..)"), 64),
    kinds.DISK: (re.compile(_NAME_PATTERN % 78), 80),
}
_CHECKED_BEFORE = (kinds.VM, kinds.GALLERY, kinds.GALLERY_IMAGE, kinds.GALLERY_VERSION)
_USUAL_NAME = (re.compile(_NAME_PATTERN % 78), 80)
_NAME_RULE = (
    "The name can be up to {} characters long. It must begin with a word character, and it must "
    "end with a word character or with '_'. The name may contain word characters or '.', '-', '_'."
)


def validate_put(call: ArmCall, kind: str) -> PutRequest:
    """The checks of every PUT: group, name, location, tags, preconditions."""
    require_group(call, write=True)
    body = call.body()
    name = call.name_of(kind)
    pattern, longest = _NAME_PATTERNS.get(kind, _USUAL_NAME)
    if kind not in _CHECKED_BEFORE and not pattern.fullmatch(name):
        raise errors.invalid_name(name, _NAME_RULE.format(longest))
    id_ = call.resource_id(kind)
    existing = call.world.find(id_)
    location = read_location(call, body, kind, existing)
    tags = read_tags(body)
    check_preconditions(call, existing, id_)
    if existing is not None:
        refuse_while_busy(call, existing)
    return PutRequest(existing.id if existing else id_, name, location, tags, body, existing)


def build_resource(
    world: World, kind: str, wanted: PutRequest, properties: Body, state: str
) -> StoredResource:
    """The resource that `wanted` describes, with a new etag where the type has one."""
    old = wanted.existing
    body: Body = {"name": wanted.name, "id": wanted.id, "type": kind, "location": wanted.location}
    if wanted.tags is not None:
        body["tags"] = wanted.tags
    for key in ("sku", "zones", "identity", "managedBy"):
        if wanted.body.get(key) is not None:
            body[key] = wanted.body[key]
    if kind.startswith("Microsoft.Network/") or kind == kinds.VM:
        body["etag"] = new_etag(world, kind, old.body["etag"] if old else None)
    body["properties"] = {"provisioningState": state, **properties}
    return StoredResource(
        wanted.id, kind, body, old.created if old else world.now, old.internal_state if old else {}
    )


def finish_write(world: World, _: Operation, target: StoredResource) -> Body | None:
    """End most writes."""
    target.state = "Succeeded"
    target.internal_state["changedAt"] = world.now
    if "etag" in target.body:
        target.body["etag"] = new_etag(world, target.kind, target.body["etag"])
    world.save(target)
    return None
