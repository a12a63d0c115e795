"""Network security groups: their rules, Azure's default rules, and their users.

A rule is part of its group's body and also a resource with its own path.
"""

import ipaddress
from typing import Any

from ccgpu.fakearm import errors, kinds, network_errors, operations
from ccgpu.fakearm.call import (
    IN_GROUP,
    ArmCall,
    Route,
    Routes,
    accepted_response,
    check_etag,
    new_etag,
    page_response,
    require_group,
)
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.wire import Body, Response
from ccgpu.fakearm.world import StoredResource, World

RULE = f"{kinds.NSG}/securityRules"
# Microsoft Learn, "Network security groups", default security rules; descriptions as recorded.
_DEFAULT_RULES = [
    (
        ("AllowVnetInBound", 65000, "Inbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
        "Allow inbound traffic from all VMs in VNET",
    ),
    (
        ("AllowAzureLoadBalancerInBound", 65001, "Inbound", "Allow", "AzureLoadBalancer", "*"),
        "Allow inbound traffic from azure load balancer",
    ),
    (("DenyAllInBound", 65500, "Inbound", "Deny", "*", "*"), "Deny all inbound traffic"),
    (
        ("AllowVnetOutBound", 65000, "Outbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
        "Allow outbound traffic from all VMs to all VMs in VNET",
    ),
    (
        ("AllowInternetOutBound", 65001, "Outbound", "Allow", "*", "Internet"),
        "Allow outbound traffic from all VMs to Internet",
    ),
    (("DenyAllOutBound", 65500, "Outbound", "Deny", "*", "*"), "Deny all outbound traffic"),
]
_LIST_FIELDS = (
    "sourcePortRanges",
    "destinationPortRanges",
    "sourceAddressPrefixes",
    "destinationAddressPrefixes",
)
_REQUIRED = ("protocol", "access", "direction", "priority")
_PRIORITIES = range(100, 4097)


def view(world: World, group: StoredResource) -> Body:
    body = {**group.body, "properties": dict(group.properties)}
    for key, role in (("networkInterfaces", "nic-nsg"), ("subnets", "subnet-nsg")):
        users = world.references_to(group.id, role)
        if users:
            body["properties"][key] = [{"id": ref.source} for ref in users]
    return body


def _refuse_delete(world: World, group: StoredResource) -> None:
    users = world.references_to(group.id)
    if users:
        raise network_errors.security_group_in_use(group.id, [ref.source for ref in users])


RULES = tracked.KindRules(
    kinds.NSG,
    view=view,
    refuse_delete=_refuse_delete,
    delete_after=1,
    get_options=frozenset({"$expand"}),
)


def put(call: ArmCall) -> Response:
    """Rules that are not in the body are deleted."""
    wanted = tracked.validate_put(call, kinds.NSG)
    old = wanted.existing
    rules = wanted.properties.get("securityRules") or []
    _check_rules(rules)
    properties = {
        "resourceGuid": old.properties["resourceGuid"] if old else call.world.new_guid(),
        "securityRules": [_rule_body(wanted.id, "securityRules", rule) for rule in rules],
        "defaultSecurityRules": [
            _rule_body(wanted.id, "defaultSecurityRules", _default_rule(*rule, description=text))
            for rule, text in _DEFAULT_RULES
        ],
    }
    group = tracked.build_resource(call.world, kinds.NSG, wanted, properties, "Updating")
    _copy_etag_to_rules(group)
    call.world.save(group)
    operation = operations.begin(call.world, "write", group, call.world.duration("nsg"))
    after = 3 if old is None else None
    return accepted_response(
        call, wanted.status, operation, view(call.world, group), retry_after=after
    )


def _default_rule(
    name: str, priority: int, direction: str, access: str, source: str, to: str, *, description: str
) -> Body:
    return {
        "name": name,
        "properties": {
            "description": description,
            "protocol": "*",
            "sourcePortRange": "*",
            "destinationPortRange": "*",
            "sourceAddressPrefix": source,
            "destinationAddressPrefix": to,
            "access": access,
            "priority": priority,
            "direction": direction,
        },
    }


def _rule_body(group: str, part: str, rule: Body, state: str = "Succeeded") -> Body:
    return {
        "name": rule["name"],
        "id": f"{group}/{part}/{rule['name']}",
        "type": f"{kinds.NSG}/{part}",
        "properties": {
            **{key: [] for key in _LIST_FIELDS},
            **rule["properties"],
            "provisioningState": state,
        },
    }


def _copy_etag_to_rules(group: StoredResource) -> None:
    """A rule has the etag of its group, as recorded."""
    for key in ("securityRules", "defaultSecurityRules"):
        for rule in group.properties[key]:
            rule["etag"] = group.body["etag"]


def finish_write(world: World, operation: Operation, group: StoredResource) -> Body | None:
    """End a write to the group or to one of its rules."""
    gone = operation.data.get("removed")
    rules = [one for one in group.properties["securityRules"] if one["name"].lower() != gone]
    for rule in rules:
        rule["properties"]["provisioningState"] = "Succeeded"
    group.properties["securityRules"] = rules
    failure = tracked.finish_write(world, operation, group)
    _copy_etag_to_rules(group)
    world.save(group)
    return failure


def _require_parent(call: ArmCall, *, write: bool = False) -> StoredResource:
    require_group(call, write=write)
    group = call.world.find(call.resource_id(kinds.NSG))
    if group is None:
        raise errors.parent_not_found(call.names[2])
    return group


def _find_rule(group: StoredResource | None, name: str) -> Body | None:
    rules: list[Body] = group.properties["securityRules"] if group else []
    return next((one for one in rules if one["name"].lower() == name.lower()), None)


def get_rule(call: ArmCall) -> Response:
    require_group(call)
    group = call.world.find(call.resource_id(kinds.NSG))
    name = call.names[3]
    if group is None:
        raise tracked.not_found_error(
            kinds.NSG, f"{call.names[2]}/securityRules/{name}", call.names[1]
        )
    found = _find_rule(group, name)
    if found is None:
        raise errors.not_found(f"Resource {group.id}/securityRules/{name} not found.", details=[])
    return Response(200, found, {"ETag": found["etag"]})


def list_rules(call: ArmCall) -> Response:
    return page_response(call, _require_parent(call).properties["securityRules"])


def list_default_rules(call: ArmCall) -> Response:
    return page_response(call, _require_parent(call).properties["defaultSecurityRules"])


def put_rule(call: ArmCall) -> Response:
    group = _require_parent(call, write=True)
    given = {**call.body(), "name": call.names[3]}
    old = _find_rule(group, given["name"])
    kept = [one for one in group.properties["securityRules"] if one is not old]
    if old:
        given["name"] = old["name"]
    _check_rules([*kept, given])
    rule = _rule_body(group.id, "securityRules", given, "Updating")
    check_etag(call.request.headers.get("If-Match"), old["etag"] if old else None, rule["id"])
    tracked.refuse_while_busy(call, group)
    group.properties["securityRules"] = [*kept, rule]
    operation = _begin_write(call.world, group)
    return accepted_response(call, 200 if old else 201, operation, rule, retry_after=1)


def _begin_write(world: World, group: StoredResource, removed: str | None = None) -> Operation:
    group.state = "Updating"
    group.body["etag"] = new_etag(world, kinds.NSG)
    _copy_etag_to_rules(group)
    world.save(group)
    return operations.begin(world, "write", group, world.duration("nsg"), removed=removed)


def delete_rule(call: ArmCall) -> Response:
    require_group(call)
    group = call.world.find(call.resource_id(kinds.NSG))
    found = _find_rule(group, call.names[3])
    if group is None or found is None:
        return Response(204)
    check_etag(call.request.headers.get("If-Match"), found["etag"], found["id"])
    tracked.refuse_while_busy(call, group)
    found["properties"]["provisioningState"] = "Deleting"
    operation = _begin_write(call.world, group, found["name"].lower())
    return accepted_response(call, 202, operation, None, retry_after=1)


def _check_rules(rules: list[Any]) -> None:
    taken: dict[tuple[str, int], str] = {}
    for rule in rules:
        name, properties = rule.get("name"), rule.get("properties") or {}
        absent = [key for key in _REQUIRED if properties.get(key) is None]
        if not name or absent:
            raise errors.bad_json(f"Required property '{(absent or ['name'])[0]}' not found")
        if properties["priority"] not in _PRIORITIES:
            raise errors.Refused(
                400,
                "SecurityRuleInvalidPriority",
                f"Security rule has invalid Priority. Value provided: {properties['priority']}. "
                "Allowed range 100-4096.",
                details=[],
            )
        place = (str(properties["direction"]).lower(), properties["priority"])
        if place in taken:
            raise errors.Refused(
                400,
                "SecurityRuleConflict",
                f"Security rule {name} conflicts with rule {taken[place]}. Rules cannot have the "
                "same Priority and Direction.",
                details=[],
            )
        taken[place] = name
        _check_sources(name, properties)


def _check_sources(name: str, properties: Body) -> None:
    sources = [properties.get("sourceAddressPrefix"), *properties.get("sourceAddressPrefixes", ())]
    for source in sources:
        if source and source[0].isdigit() and not _is_network(source):
            raise errors.Refused(
                400,
                "SecurityRuleInvalidAddressPrefix",
                f"Security rule {name} has invalid Address prefix. Value provided: {source}",
                details=[],
            )


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


_ONE = f"{IN_GROUP}{RULE.lower().replace('/securityrules', '/*/securityrules')}"
RULE_ROUTES: Routes = {
    ("GET", f"{_ONE}/*"): Route(get_rule, kinds.NETWORK_API),
    ("PUT", f"{_ONE}/*"): Route(put_rule, kinds.NETWORK_API),
    ("DELETE", f"{_ONE}/*"): Route(delete_rule, kinds.NETWORK_API),
    ("GET", _ONE.replace("/securityrules", "/defaultsecurityrules")): Route(
        list_default_rules, kinds.NETWORK_API, frozenset({"$skiptoken"})
    ),
    ("GET", _ONE): Route(list_rules, kinds.NETWORK_API, frozenset({"$skiptoken"})),
}
