"""What role assignments the simulated subscription shows: the caller's, and its role.

They follow from the setting `principal`: an owner, or a custom role with the granted actions. Forms:
Microsoft Learn, REST API "Role assignments" and "Role definitions" 2022-04-01.
"""

from ccgpu.fakearm import errors, kinds
from ccgpu.fakearm.call import IN_GROUP, IN_SUBSCRIPTION, ArmCall, Route, Routes, page_response
from ccgpu.fakearm.clock import START, arm_time
from ccgpu.fakearm.subscription import CALLER_OBJECT_ID
from ccgpu.fakearm.wire import Body, FakeGap, Response

# Microsoft Learn, "Azure built-in roles".
_OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
_CUSTOM = "00000000-0000-4000-8000-00000000000d"
_ASSIGNMENT = "00000000-0000-4000-8000-00000000000e"
_DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
_FILTERS = ("", "atScope()", f"principalId eq '{CALLER_OBJECT_ID}'")
_FILTERS += tuple(f"{one} and atScope()" for one in (_FILTERS[-1],))


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
        "id": f"{_subscription(call)}/providers/{_DEFINITIONS}/{name}",
        "name": name,
        "type": _DEFINITIONS,
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
        "id": f"{scope}/providers/{_ASSIGNMENTS}/{_ASSIGNMENT}",
        "name": _ASSIGNMENT,
        "type": _ASSIGNMENTS,
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
    """The caller's assignment, which is on the subscription, so above every group in it."""
    wanted = call.query.get("$filter", "")
    if wanted not in _FILTERS:
        raise FakeGap(f"$filter={wanted}")
    return page_response(call, [_assignment(call)])


def list_definitions(call: ArmCall) -> Response:
    """The caller's role. Azure lists some hundred built-in ones."""
    role = _definition(call)
    wanted = call.query.get("$filter", "")
    if wanted in ("", "atScopeAndBelow()"):
        return page_response(call, [role])
    if wanted == f"roleName eq '{role['properties']['roleName']}'":
        return page_response(call, [role])
    raise FakeGap(f"$filter={wanted}")


def get_definition(call: ArmCall) -> Response:
    role = _definition(call)
    if call.request.path.rstrip("/").rsplit("/", 1)[1].lower() != role["name"]:
        raise errors.Refused(
            404,
            "RoleDefinitionDoesNotExist",
            "The specified role definition does not exist.",
        )
    return Response(200, role)


_PAGE = frozenset({"$filter", "$skiptoken"})
_BOTH = (IN_SUBSCRIPTION, IN_GROUP)
ROUTES: Routes = {
    **{
        ("GET", f"{place}{_ASSIGNMENTS.lower()}"): Route(
            list_assignments, kinds.AUTHORIZATION_API, _PAGE
        )
        for place in _BOTH
    },
    **{
        ("GET", f"{place}{_DEFINITIONS.lower()}"): Route(
            list_definitions, kinds.AUTHORIZATION_API, _PAGE
        )
        for place in _BOTH
    },
    ("GET", f"{IN_SUBSCRIPTION}{_DEFINITIONS.lower()}/*"): Route(
        get_definition, kinds.AUTHORIZATION_API
    ),
}
