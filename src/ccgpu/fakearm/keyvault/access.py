"""Who may do what in a vault: by role assignments, or by the vault's access policies.

The simulated subscription's own caller has all data actions if it is an owner (`principal` is
None), else those that `principal` lists. Anybody else needs a role assignment on the vault.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from ccgpu.fakearm import kinds
from ccgpu.fakearm.keyvault import refusals
from ccgpu.fakearm.role_definitions import DATA_ACTIONS
from ccgpu.fakearm.subscription import CALLER_OBJECT_ID, TENANT_ID
from ccgpu.fakearm.wire import Request
from ccgpu.fakearm.world import StoredResource, World

AUDIENCE = "https://vault.azure.net"
# Data actions of role definitions, and the permissions of access policies (Microsoft Learn, "Azure
# permissions for Security"; "Assign a Key Vault access policy").
ACTIONS = {
    "create": "Microsoft.KeyVault/vaults/keys/create/action",
    "get": "Microsoft.KeyVault/vaults/keys/read",
    "update": "Microsoft.KeyVault/vaults/keys/update/action",
    "delete": "Microsoft.KeyVault/vaults/keys/delete",
    "release": "Microsoft.KeyVault/vaults/keys/release/action",
}


def require_permission(
    world: World, vault: StoredResource, request: Request, permission: str, key: str
) -> None:
    """Refuse a request without a token for this service, or whose caller lacks the permission."""
    claims = _token_claims(request.headers.get("Authorization", ""))
    principal = str(claims.get("oid", ""))
    caller = f"appid=00000000-0000-4000-8000-00000000000c;oid={principal}"
    if vault.properties.get("publicNetworkAccess") == "Disabled":
        raise refusals.denied_by_connection()
    if not vault.properties.get("enableRbacAuthorization"):
        if not _is_in_policies(vault, principal, permission):
            raise refusals.denied_by_policy(vault, caller, permission)
    elif not _is_allowed(world, vault, principal, ACTIONS[permission]):
        raise refusals.denied_by_role(vault, caller, ACTIONS[permission], key)


def _token_claims(authorization: str) -> Mapping[str, Any]:
    """The claims of a token for Key Vault; a token for another service is refused."""
    kind, _, token = authorization.partition(" ")
    if kind != "Bearer" or not token:
        raise refusals.unauthorized(
            "AKV10000: Request is missing a Bearer or PoP token.", TENANT_ID
        )
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError, binascii.Error):
        claims = {}
    if claims.get("aud") != AUDIENCE:
        message = f"AKV10022: Invalid audience. Expected {AUDIENCE}, found: {claims.get('aud')}."
        raise refusals.unauthorized(message, TENANT_ID)
    found: Mapping[str, Any] = claims
    return found


def _is_in_policies(vault: StoredResource, principal: str, permission: str) -> bool:
    for policy in vault.properties.get("accessPolicies") or ():
        keys = [one.lower() for one in (policy.get("permissions") or {}).get("keys") or ()]
        if policy.get("objectId", "").lower() == principal.lower() and (
            permission in keys or "all" in keys
        ):
            return True
    return False


def _is_allowed(world: World, vault: StoredResource, principal: str, action: str) -> bool:
    if principal == CALLER_OBJECT_ID:
        granted = world.settings.value("principal")
        return granted is None or _matches(granted, action)
    for assignment in world.list_kind(kinds.ROLE_ASSIGNMENT):
        scope = assignment.id.lower().partition("/providers/microsoft.authorization/")[0]
        given = assignment.properties
        if given["principalId"].lower() == principal.lower() and (
            f"{vault.key}/".startswith(f"{scope}/")
        ):
            role = given["roleDefinitionId"].rsplit("/", 1)[1].lower()
            if _matches(DATA_ACTIONS[role][1], action):
                return True
    return False


def _matches(patterns: Any, action: str) -> bool:
    each = (re.escape(one).replace(r"\*", ".*") for one in patterns)
    return any(re.fullmatch(one, action, re.IGNORECASE) for one in each)
