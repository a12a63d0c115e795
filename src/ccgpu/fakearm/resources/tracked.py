"""What all kinds of resource in a group have in common: GET, PATCH of tags, DELETE, lists.

A kind says with `Rules` how it looks, what keeps it from being deleted, and how long that takes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ccgpu.fakearm import compute_errors, errors, kinds, lag, network_errors, operations
from ccgpu.fakearm.call import (
    IN_GROUP,
    IN_SUBSCRIPTION,
    Call,
    Handler,
    Route,
    Routes,
    accepted,
    check_preconditions,
    location_of,
    new_etag,
    paged,
    require_group,
    tags_of,
)
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.wire import Answer, Body, FakeGap
from ccgpu.fakearm.world import Resource, World


def _as_stored(_: World, resource: Resource) -> Body:
    return resource.body


def _never(_: World, __: Resource) -> None:
    """Nothing keeps it from being deleted."""


@dataclass(frozen=True, slots=True)
class Rules:
    """`delete_after` is the Retry-After of an accepted delete, as recorded."""

    kind: str
    view: Callable[[World, Resource], Body] = _as_stored
    refuse_delete: Callable[[World, Resource], None] = _never
    delete_seconds: str = "network.delete"
    delete_after: int | None = None
    get_options: frozenset[str] = frozenset()
    delete_options: frozenset[str] = frozenset()


def routes(rules: Rules, put: Handler, **other: Handler) -> Routes:
    """The routes of a kind; `other` replaces a common handler: patch, delete."""
    api = kinds.API[rules.kind]
    one = f"{IN_GROUP}{rules.kind.lower()}/*"
    here, everywhere = f"{IN_GROUP}{rules.kind.lower()}", f"{IN_SUBSCRIPTION}{rules.kind.lower()}"
    lister = Route(partial(list_, rules), api, frozenset({"$skiptoken"}))
    return {
        ("PUT", one): Route(put, api),
        ("GET", one): Route(other.get("get", partial(get, rules)), api, rules.get_options),
        ("PATCH", one): Route(other.get("patch", partial(patch, rules)), api),
        ("DELETE", one): Route(
            other.get("delete", partial(delete, rules)), api, rules.delete_options
        ),
        ("GET", here): lister,
        ("GET", everywhere): lister,
    }


def require(call: Call, kind: str) -> Resource:
    """The resource of the path, or ARM's 404."""
    require_group(call)
    found = call.world.find(call.id_of(kind))
    if found is None:
        raise missing(kind, call.names[2], call.names[1])
    return found


def missing(kind: str, name: str, group: str) -> errors.Refused:
    """The gateway says it for most kinds; the disk provider has words of its own."""
    if kind == kinds.DISK:
        return errors.not_found(f"Disk {name} is not found.")
    if kind == kinds.DES:
        return errors.not_found(f"DiskEncryptionSet '{name}' was not found.")
    return errors.resource_not_found(kind, name, group)


def get(rules: Rules, call: Call) -> Answer:
    found = require(call, rules.kind)
    body = rules.view(call.world, found)
    return Answer(200, body, {"ETag": body["etag"]} if "etag" in body else {})


def list_(rules: Rules, call: Call) -> Answer:
    if len(call.names) > 1:
        require_group(call)
    found = lag.listed(call.world, rules.kind, *call.names[1:])
    return paged(call, [rules.view(call.world, one) for one in found])


def patch(rules: Rules, call: Call) -> Answer:
    """Replace the tags, at once. Anything else in the body is a gap of the fake."""
    found = require(call, rules.kind)
    require_group(call, write=True)
    tags = only_tags(call)
    refuse_while_busy(call, found)
    found.body["tags"] = tags
    if "etag" in found.body:
        found.body["etag"] = new_etag(call.world, rules.kind, found.body["etag"])
    call.world.save(found)
    return Answer(200, rules.view(call.world, found))


def only_tags(call: Call) -> dict[str, str]:
    body = call.body()
    if set(body) != {"tags"}:
        raise FakeGap(f"a PATCH of {sorted(body)}: the fake knows tags alone")
    return tags_of(body) or {}


def delete(rules: Rules, call: Call) -> Answer:
    require_group(call)
    found = call.world.find(call.id_of(rules.kind))
    if found is None:
        return Answer(204)
    check_preconditions(call, found, found.id)
    operation = _deletion(call.world, found)
    if operation is None:
        refuse_while_busy(call, found)
        rules.refuse_delete(call.world, found)
        operation = begin_delete(call.world, found, rules.delete_seconds)
    answer = accepted(call, 202, operation, None, retry_after=rules.delete_after)
    if found.kind == kinds.NIC:  # recorded as 202 and as 200, with both addresses
        status = call.world.settings.at("nic_delete_status")
        return Answer(status, answer.body, answer.headers)
    return answer


def _deletion(world: World, found: Resource) -> Operation | None:
    """The delete that is running already."""
    running = operations.pending(world, found.key)
    return next((one for one in running if one.action == "delete"), None)


def begin_delete(world: World, found: Resource, seconds: str) -> Operation:
    found.state = "Deleting"
    world.save(found)
    return operations.begin(world, "delete", found, world.seconds(seconds))


def deleted(world: World, _: Operation, target: Resource) -> Body | None:
    world.remove(target)
    return None


def refuse_while_busy(call: Call, found: Resource) -> None:
    """One write at a time on a resource; each provider has its own words for it."""
    if found.settled:
        return
    operation = operations.pending(call.world, found.key)[-1]
    if found.kind == kinds.VNET:
        raise network_errors.another_operation(operations.uri(call.world, operation, call.host))
    if found.kind.startswith("Microsoft.Network/"):
        seconds = max(1, int(operation.due - call.world.at))
        raise network_errors.resource_busy(found.id, operation_name(found), operation.id, seconds)
    if found.kind == kinds.VM and found.state == "Deleting":
        raise compute_errors.marked_for_deletion(found.name)
    raise compute_errors.concurrent_request()


def operation_name(resource: Resource) -> str:
    """The network provider's name for the write in progress, as its refusals tell it."""
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
class Draft:
    """A PUT that may be written: what is there already, and what is the same for every kind."""

    id: str
    name: str
    location: str
    tags: dict[str, str] | None
    body: Body
    existing: Resource | None

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
_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,%d}[A-Za-z0-9_])?"
_NAMES = {
    kinds.VNET: (re.compile(_WORD % 62 + r"(?<=..)"), 64),
    kinds.DISK: (re.compile(_WORD % 78), 80),
}
_USUAL_NAME = (re.compile(_WORD % 78), 80)
_NAME_RULE = (
    "The name can be up to {} characters long. It must begin with a word character, and it must "
    "end with a word character or with '_'. The name may contain word characters or '.', '-', '_'."
)


def draft(call: Call, kind: str) -> Draft:
    """Check what ARM checks of any PUT: group, name, location, tags, preconditions."""
    require_group(call, write=True)
    body = call.body()
    name = call.names[2]
    pattern, longest = _NAMES.get(kind, _USUAL_NAME)
    if kind != kinds.VM and not pattern.fullmatch(name):
        raise errors.invalid_name(name, _NAME_RULE.format(longest))
    id_ = call.id_of(kind)
    existing = call.world.find(id_)
    location = location_of(call, body, kind, existing)
    tags = tags_of(body)
    check_preconditions(call, existing, id_)
    if existing is not None:
        refuse_while_busy(call, existing)
    return Draft(existing.id if existing else id_, name, location, tags, body, existing)


def resource_of(world: World, kind: str, wanted: Draft, properties: Body, state: str) -> Resource:
    """The resource that `wanted` asks for, with a new etag where the kind has them."""
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
    return Resource(
        wanted.id, kind, body, old.created if old else world.at, old.hidden if old else {}
    )


def succeeded(world: World, _: Operation, target: Resource) -> Body | None:
    """The end of most writes."""
    target.state = "Succeeded"
    if "etag" in target.body:
        target.body["etag"] = new_etag(world, target.kind, target.body["etag"])
    world.save(target)
    return None
