"""Network security groups: rules as given, Azure's default rules, and who uses the group."""

import ipaddress
from typing import Any

from ccgpu.fakearm import errors, kinds, network_errors, operations
from ccgpu.fakearm.call import Call, accepted
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.wire import Answer, Body
from ccgpu.fakearm.world import Resource, World

# Microsoft Learn, "Network security groups", default security rules.
_DEFAULTS = [
    ("AllowVnetInBound", 65000, "Inbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
    ("AllowAzureLoadBalancerInBound", 65001, "Inbound", "Allow", "AzureLoadBalancer", "*"),
    ("DenyAllInBound", 65500, "Inbound", "Deny", "*", "*"),
    ("AllowVnetOutBound", 65000, "Outbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
    ("AllowInternetOutBound", 65001, "Outbound", "Allow", "*", "Internet"),
    ("DenyAllOutBound", 65500, "Outbound", "Deny", "*", "*"),
]
_REQUIRED = ("protocol", "access", "direction", "priority")
_PRIORITIES = range(100, 4097)


def view(world: World, group: Resource) -> Body:
    body = {**group.body, "properties": dict(group.properties)}
    for key, role in (("networkInterfaces", "nic-nsg"), ("subnets", "subnet-nsg")):
        users = world.referrers(group.id, role)
        if users:
            body["properties"][key] = [{"id": ref.source} for ref in users]
    return body


def _refuse_delete(world: World, group: Resource) -> None:
    users = world.referrers(group.id)
    if users:
        raise network_errors.security_group_in_use(group.id, [ref.source for ref in users])


RULES = tracked.Rules(
    kinds.NSG,
    view=view,
    refuse_delete=_refuse_delete,
    delete_after=1,
    get_options=frozenset({"$expand"}),
)


def put(call: Call) -> Answer:
    wanted = tracked.draft(call, kinds.NSG)
    rules = wanted.properties.get("securityRules") or []
    _check(rules)
    properties = {
        "resourceGuid": call.world.guid(),
        "securityRules": [_rule(wanted.id, "securityRules", rule) for rule in rules],
        "defaultSecurityRules": [
            _rule(wanted.id, "defaultSecurityRules", _default(*one)) for one in _DEFAULTS
        ],
    }
    group = tracked.resource_of(call.world, kinds.NSG, wanted, properties, "Updating")
    call.world.save(group)
    operation = operations.begin(call.world, "write", group, call.world.seconds("nsg"))
    after = 1 if wanted.existing is None else None
    return accepted(call, wanted.status, operation, view(call.world, group), retry_after=after)


def _default(name: str, priority: int, direction: str, access: str, source: str, to: str) -> Body:
    return {
        "name": name,
        "properties": {
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


def _rule(group: str, part: str, rule: Body) -> Body:
    return {
        "name": rule["name"],
        "id": f"{group}/{part}/{rule['name']}",
        "type": f"{kinds.NSG}/{part}",
        "properties": {"provisioningState": "Succeeded", **rule["properties"]},
    }


def _check(rules: list[Any]) -> None:
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
