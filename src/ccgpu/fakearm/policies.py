"""Policy assignments that were added: built-in definitions with the effect deny.

Ids and parameters are Azure's (Microsoft Learn, "Azure Policy built-in policy definitions"). The
form of the error is recorded.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ccgpu.fakearm import kinds
from ccgpu.fakearm.call import ArmCall
from ccgpu.fakearm.errors import GATEWAY, Refused
from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import StoredResource

DEFINITIONS = "/providers/Microsoft.Authorization/policyDefinitions/"


@dataclass(frozen=True, slots=True)
class PolicyAssignment:
    """A definition assigned to a scope. `message` replaces the ids in the error's text."""

    id: str
    name: str
    scope: str
    definition: str
    parameters: Body
    message: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyDefinition:
    """A built-in definition, its parameter, and whether it denies a body of a type."""

    name: str
    parameter: str | None
    denies: Callable[[str, Body, Any], bool]


def _is_one_of(kind: str, values: Any) -> bool:
    return kind.lower() in {str(one).lower() for one in values}


def _outside_locations(kind: str, body: Body, allowed: Any) -> bool:
    region = str(body.get("location") or "global").replace(" ", "").lower()
    known = {str(one).replace(" ", "").lower() for one in allowed}
    return kind != kinds.GROUP and region != "global" and region not in known


def _outside_sizes(kind: str, body: Body, allowed: Any) -> bool:
    size = ((body.get("properties") or {}).get("hardwareProfile") or {}).get("vmSize")
    return kind == kinds.VM and bool(size) and not _is_one_of(str(size), allowed)


def _has_public_ip(kind: str, body: Body, _: Any) -> bool:
    given = (body.get("properties") or {}).get("ipConfigurations") or ()
    return kind == kinds.NIC and any(
        (one.get("properties") or {}).get("publicIPAddress") for one in given
    )


BUILT_IN = {
    "6c112d4e-5bc7-47ae-a041-ea2d9dccd749": PolicyDefinition(
        "Not allowed resource types",
        "listOfResourceTypesNotAllowed",
        lambda kind, _, named: _is_one_of(kind, named),
    ),
    "a08ec900-254a-4555-9bf5-e42af04b5c5c": PolicyDefinition(
        "Allowed resource types",
        "listOfResourceTypesAllowed",
        lambda kind, _, named: kind != kinds.GROUP and not _is_one_of(kind, named),
    ),
    "e56962a6-4747-49cd-b67b-bf8b01975c4c": PolicyDefinition(
        "Allowed locations", "listOfAllowedLocations", _outside_locations
    ),
    "cccc23c7-8427-4f53-ad12-b6a63eb452b3": PolicyDefinition(
        "Allowed virtual machine size SKUs", "listOfAllowedSKUs", _outside_sizes
    ),
    "83a86a26-fd1f-447c-b59d-e51f44264114": PolicyDefinition(
        "Network interfaces should not have public IPs", None, _has_public_ip
    ),
    "871b6d14-10aa-478d-b590-94f262ecfa99": PolicyDefinition(
        "Require a tag on resources",
        "tagName",
        lambda kind, body, tag: kind != kinds.GROUP and tag not in (body.get("tags") or {}),
    ),
}


def check(call: ArmCall) -> None:
    """Refuse a PUT that an assignment denies."""
    if call.request.method != "PUT":
        return
    assigned = call.world.list_kind(kinds.POLICY)
    if not assigned:
        return
    kind, path = _kind_in_path(call.request.path), f"{call.request.path.lower()}/"
    for one in assigned:
        enforced = one.properties.get("enforcementMode", "Default") != "DoNotEnforce"
        if enforced and path.startswith(f"{_assignment_scope(one).lower()}/"):
            _check_assignment(call, kind, _read_assignment(one))


def _check_assignment(call: ArmCall, kind: str, one: PolicyAssignment) -> None:
    definition = BUILT_IN[one.definition.rsplit("/", 1)[1]]
    wanted = one.parameters.get(definition.parameter or "", {}).get("value")
    if definition.denies(kind, call.body(), wanted):
        raise policy_refusal(call.names[-1], one)


def _kind_in_path(path: str) -> str:
    """The resource type in a path, in ARM's spelling if the fake knows it."""
    _, found, provider = path.partition("/providers/")
    if not found:
        return kinds.GROUP
    namespace, *parts = provider.strip("/").split("/")
    spelt = "/".join([namespace, *parts[::2]])
    known = {one.lower(): one for one in (*kinds.API, kinds.SUBNET, kinds.SECURITY_RULE)}
    return known.get(spelt.lower(), spelt)


def _assignment_scope(one: StoredResource) -> str:
    return one.id.rpartition("/providers/")[0]


def _read_assignment(one: StoredResource) -> PolicyAssignment:
    given = one.properties
    messages = [str(each["message"]) for each in given.get("nonComplianceMessages") or ()]
    return PolicyAssignment(
        one.id,
        str(given.get("displayName") or one.name),
        _assignment_scope(one),
        given["policyDefinitionId"],
        given.get("parameters") or {},
        messages[0] if messages else None,
    )


def policy_refusal(name: str, one: PolicyAssignment) -> Refused:
    """The error, with the recorded identifiers of assignment and definition."""
    definition = one.definition.rsplit("/", 1)[1]
    known = BUILT_IN.get(definition)
    shown = known.name if known else definition
    info = {
        "policyDefinitionId": one.definition,
        "policyDefinitionName": definition,
        "policyDefinitionDisplayName": shown,
        "policyDefinitionEffect": "deny",
        "policyAssignmentId": one.id,
        "policyAssignmentName": one.id.rsplit("/", 1)[1],
        "policyAssignmentDisplayName": one.name,
        "policyAssignmentScope": one.scope,
        "policyAssignmentParameters": one.parameters,
    }
    return Refused(
        403,
        "RequestDisallowedByPolicy",
        f"Resource '{name}' was disallowed by policy. {_refusal_reason(one, shown)}",
        target=name,
        additionalInfo=[{"type": "PolicyViolation", "info": info}],
        headers=GATEWAY,
    )


def _refusal_reason(one: PolicyAssignment, definition: str) -> str:
    if one.message is not None:
        return f"Reasons: '{one.message}'. See error details for policy resource IDs."
    identifiers = [
        {
            "policyAssignment": {"name": one.name, "id": one.id},
            "policyDefinition": {"name": definition, "id": one.definition},
        }
    ]
    return f"Policy identifiers: '{json.dumps(identifiers, separators=(',', ':'))}'."
