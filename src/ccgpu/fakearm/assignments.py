"""Role assignments as lists of a subscription or group show them, and role definitions.

The caller's follow from the setting `principal`: an owner, or a custom role with the granted
actions. Others were added (`fake add`). Forms: Microsoft Learn, REST API "Role assignments" and
"Role definitions" 2022-04-01.
"""

import re

from ccgpu.fakearm import kinds, role_definitions
from ccgpu.fakearm.call import IN_GROUP, IN_SUBSCRIPTION, ArmCall, Route, Routes, page_response
from ccgpu.fakearm.clock import START, arm_time
from ccgpu.fakearm.subscription import CALLER_OBJECT_ID
from ccgpu.fakearm.wire import Body, FakeGap, Response

# Microsoft Learn, "Azure built-in roles".
_OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
_CUSTOM = "00000000-0000-4000-8000-00000000000d"
_ASSIGNMENT = "00000000-0000-4000-8000-00000000000e"
_ROLE_NAME = re.compile("roleName eq '([^']*)'", re.IGNORECASE)
_PARTS = {1: 2, 2: 4}  # how many parts of the path are the scope, by its variable ones
_MINE = f"principalId eq '{CALLER_OBJECT_ID}'"
_FILTERS = ("", "atScope()", _MINE, f"atScope() and {_MINE}")


def _subscription(call: ArmCall) -> str:
    return f"/subscriptions/{call.world.subscription}"


def _definition(call: ArmCall) -> Body:
    granted = call.world.settings.value("principal")
    name = _OWNER if granted is None else _CUSTOM
    permissions = {
        "actions": ["*"] if granted is None else granted,
        "notActions": [],
        "dataActions": [],
        "notDataActions": [],
    }
    return {
        "id": f"{_subscription(call)}/providers/{kinds.ROLE_DEFINITION}/{name}",
        "name": name,
        "type": kinds.ROLE_DEFINITION,
        "properties": {
            "roleName": "Owner" if granted is None else "Simulated role",
            "type": "BuiltInRole" if granted is None else "CustomRole",
            "description": "What the caller of the simulated subscription may do.",
            "assignableScopes": ["/" if granted is None else _subscription(call)],
            "permissions": [permissions],
        },
    }


def _assignment(call: ArmCall) -> Body:
    scope = _subscription(call)
    return {
        "id": f"{scope}/providers/{kinds.ROLE_ASSIGNMENT}/{_ASSIGNMENT}",
        "name": _ASSIGNMENT,
        "type": kinds.ROLE_ASSIGNMENT,
        "properties": {
            "roleDefinitionId": _definition(call)["id"],
            "principalId": CALLER_OBJECT_ID,
            "principalType": "User",
            "scope": scope,
            "createdOn": arm_time(START),
            "updatedOn": arm_time(START),
        },
    }


def list_assignments(call: ArmCall) -> Response:
    """The caller's assignment on the subscription, and those added above or below the scope."""
    wanted = call.query.get("$filter", "")
    if wanted not in _FILTERS:
        raise FakeGap(f"$filter={wanted}")
    parts = call.request.path.strip("/").lower().split("/")
    here = "/" + "/".join(parts[: _PARTS[len(call.names)]])
    found = [_assignment(call)]
    for one in call.world.list_kind(kinds.ROLE_ASSIGNMENT):
        scope = role_definitions.scope_of(one.key)
        above, below = f"{here}/".startswith(f"{scope}/"), f"{scope}/".startswith(f"{here}/")
        mine = one.properties["principalId"].lower() == CALLER_OBJECT_ID
        at = above or (below and "atScope()" not in wanted)
        if at and (mine or "principalId" not in wanted):
            found.append(one.body)
    return page_response(call, found)


def list_definitions(call: ArmCall) -> Response:
    """The caller's role and the built-in ones that the fake knows; Azure lists some hundred."""
    built_in = [role_definitions.built_in(call, one) for one in role_definitions.DATA_ACTIONS]
    roles = [_definition(call), *built_in]
    wanted = call.query.get("$filter", "")
    if wanted not in ("", "atScopeAndBelow()"):
        named = _ROLE_NAME.fullmatch(wanted)
        if named is None:
            raise FakeGap(f"$filter={wanted}")
        name = named[1].lower()
        roles = [one for one in roles if one["properties"]["roleName"].lower() == name]
    return page_response(call, roles)


def get_definition(call: ArmCall) -> Response:
    role = _definition(call)
    if call.names[1].lower() == role["name"]:
        return Response(200, role)
    return role_definitions.get_definition(call)


_PAGE = frozenset({"$filter", "$skiptoken"})
_BOTH = (IN_SUBSCRIPTION, IN_GROUP)
ROUTES: Routes = {
    **{
        ("GET", f"{place}{kinds.ROLE_ASSIGNMENT.lower()}"): Route(
            list_assignments, kinds.AUTHORIZATION_API, _PAGE
        )
        for place in _BOTH
    },
    **{
        ("GET", f"{place}{kinds.ROLE_DEFINITION.lower()}"): Route(
            list_definitions, kinds.AUTHORIZATION_API, _PAGE
        )
        for place in _BOTH
    },
    ("GET", f"{IN_SUBSCRIPTION}{kinds.ROLE_DEFINITION.lower()}/*"): Route(
        get_definition, kinds.AUTHORIZATION_API
    ),
}
