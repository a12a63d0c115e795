"""Built-in roles on key vaults, and the role assignments of a resource, as ARM lists both.

Ids, names and data actions: Microsoft Learn, "Azure built-in roles for Security".
"""

import re

from ccgpu.fakearm import errors, kinds
from ccgpu.fakearm.call import IN_GROUP, IN_SUBSCRIPTION, ArmCall, Route, Routes
from ccgpu.fakearm.wire import Body, FakeGap, Response

_KEYS = "Microsoft.KeyVault/vaults/keys"
# By the id of the role: its name, and its data actions.
DATA_ACTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "08bbd89e-9f13-488c-ac41-acfcb10c90ab": (
        "Key Vault Crypto Service Release User",
        (f"{_KEYS}/release/action",),
    ),
    "14b46e9e-c2b7-41b4-b07b-48a6ebf60603": (
        "Key Vault Crypto Officer",
        (f"{_KEYS}/*", "Microsoft.KeyVault/vaults/keyrotationpolicies/*"),
    ),
    "00482a5a-887f-4fb3-b363-3b7fe8e74483": (
        "Key Vault Administrator",
        ("Microsoft.KeyVault/vaults/*",),
    ),
    "21090545-7ca7-4776-b22c-e363652d74d2": (
        "Key Vault Reader",
        ("Microsoft.KeyVault/vaults/*/read",),
    ),
}
_ASSIGNED_TO = re.compile(r"assignedTo\('([0-9a-fA-F-]{36})'\)")


def get_definition(call: ArmCall) -> Response:
    """One built-in role."""
    role = call.names[1].lower()
    if role not in DATA_ACTIONS:
        raise errors.Refused(
            404,
            "RoleDefinitionDoesNotExist",
            f"The specified role definition with ID '{role}' does not exist.",
        )
    return Response(200, built_in(call, role))


def built_in(call: ArmCall, role: str) -> Body:
    """The built-in role of this id."""
    name, actions = DATA_ACTIONS[role]
    permissions = {"actions": [], "notActions": [], "dataActions": actions, "notDataActions": []}
    return {
        "id": f"/subscriptions/{call.names[0]}/providers/{kinds.ROLE_DEFINITION}/{role}",
        "name": role,
        "type": kinds.ROLE_DEFINITION,
        "properties": {
            "roleName": name,
            "type": "BuiltInRole",
            "permissions": [permissions],
            "assignableScopes": ["/"],
        },
    }


def list_assignments(call: ArmCall) -> Response:
    """The role assignments of a principal that count for a vault: on it, its group, and above."""
    vault = call.resource_id(kinds.VAULT)
    if call.world.find(vault) is None:
        raise errors.resource_not_found(kinds.VAULT, call.names[2], call.names[1])
    text = call.query.get("$filter", "")
    wanted = _ASSIGNED_TO.fullmatch(text)
    if wanted is None:
        raise FakeGap(f"role assignments with $filter={text}")
    found = [
        one.body
        for one in call.world.list_kind(kinds.ROLE_ASSIGNMENT)
        if one.properties["principalId"].lower() == wanted[1].lower()
        and f"{vault.lower()}/".startswith(f"{scope_of(one.key)}/")
    ]
    return Response(200, {"value": found})


def scope_of(id_: str) -> str:
    """The scope of the role assignment with this id in lower case."""
    return id_.partition("/providers/microsoft.authorization/")[0]


ROUTES: Routes = {
    ("GET", f"{IN_SUBSCRIPTION}{kinds.ROLE_DEFINITION.lower()}/*"): Route(
        get_definition, kinds.AUTHORIZATION_API
    ),
    (
        "GET",
        f"{IN_GROUP}{kinds.VAULT.lower()}/*/providers/{kinds.ROLE_ASSIGNMENT.lower()}",
    ): Route(list_assignments, kinds.AUTHORIZATION_API, frozenset({"$filter"})),
}
