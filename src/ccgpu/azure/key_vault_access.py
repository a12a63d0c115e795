"""What ARM tells of a vault: its resource, and whether a principal may release its keys.

Sources: Microsoft Learn, REST "Vaults - Get" and "Role Assignments - List For Scope"
(`assignedTo` counts groups and inherited assignments), "Key Vault: access policies".
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ccgpu.azure.arm import Arm
from ccgpu.azure.errors import translating_errors
from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.granted import Grant
from ccgpu.domain.key_vault import VaultAddress, VaultState, VmPrincipal
from ccgpu.domain.release_conditions import RELEASE_ACTION
from ccgpu.domain.resource import Body

# The SDK packages in use have no clients for these: the newest stable versions.
_VAULT_API = "2024-11-01"
_AUTHORIZATION_API = "2022-04-01"
_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"


class VaultAccess:
    """Reads about vaults in the session's subscription. Each call may send several requests."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def find(self, address: VaultAddress) -> VaultState | None:
        """The vault's resource; None if the subscription lists none of this name."""
        kind = "managedHSMs" if address.managed_hsm else "vaults"
        with translating_errors(f"looking for the vault {address.name}"):
            query = {"$filter": f"resourceType eq 'Microsoft.KeyVault/{kind}'"}
            place = f"/subscriptions/{self._arm.subscription}/resources"
            listed = self._arm.reader.pages(place, API_VERSIONS[Kind.GROUP], query)
            ids = [str(one["id"]) for one in listed if str(one["name"]).lower() == address.name]
            return None if not ids else _vault_state(self._read(ids[0], _VAULT_API))

    def by_policies(self, vault: VaultState, label: str, object_id: str) -> VmPrincipal:
        """Whether the vault's access policies let this principal release keys."""
        may = object_id.lower() in vault.releasers
        why = "its access policy has `release`" if may else "no access policy has `release` for it"
        return VmPrincipal(label, object_id, may, why)

    def by_roles(self, vault: VaultState, label: str, object_id: str) -> VmPrincipal:
        """Whether a role assignment on the vault, or above it, lets it release keys."""
        with translating_errors(f"reading the role assignments on {vault.id}"):
            place = f"{vault.id}/providers/{_ASSIGNMENTS}"
            query = {"$filter": f"assignedTo('{object_id}')"}
            body = self._read(place, _AUTHORIZATION_API, query)
            if body.get("nextLink"):
                raise KeyError("nextLink")
            assigned = [one["properties"] for one in body["value"]]
            unsure = False
            for one in assigned:
                name, grants = self._role(one["roleDefinitionId"])
                if any(grant.allows(RELEASE_ACTION) for grant in grants):
                    if not one.get("condition"):
                        return VmPrincipal(label, object_id, may_release=True, why=f"role {name}")
                    unsure = True
        if unsure:
            why = "a role assignment with a condition, which ccgpu cannot judge"
            return VmPrincipal(label, object_id, None, why)
        return VmPrincipal(label, object_id, may_release=False, why=f"no role has {RELEASE_ACTION}")

    def _role(self, id_: str) -> tuple[str, list[Grant]]:
        """The name of a role, and its grants of data actions."""
        properties = self._read(id_, _AUTHORIZATION_API)["properties"]
        grants = [
            Grant(tuple(one.get("dataActions") or ()), tuple(one.get("notDataActions") or ()))
            for one in properties["permissions"]
        ]
        return str(properties["roleName"]), grants

    def _read(self, id_: str, api: str, query: Mapping[str, str] | None = None) -> Body:
        return {**self._arm.reader.get(quote(id_), api, query or {})}


def _vault_state(body: Body) -> VaultState:
    given = body["properties"]
    # A managed HSM has its SKU at the top, and roles of its own; a vault below its properties.
    sku = given.get("sku") or body.get("sku") or {}
    rules = given.get("networkAcls") or {}
    listed = (
        rules.get("ipRules"),
        rules.get("virtualNetworkRules"),
        given.get("privateEndpointConnections"),
    )
    return VaultState(
        id=str(body["id"]),
        sku=str(sku.get("name", "")).lower(),
        by_role=bool(given.get("enableRbacAuthorization")),
        releasers=frozenset(_releasers(given.get("accessPolicies") or ())),
        public=str(given.get("publicNetworkAccess") or "Enabled").lower() != "disabled",
        restricted=str(rules.get("defaultAction") or "Allow").lower() == "deny",
        exceptions=any(listed),
    )


def _releasers(policies: Any) -> list[str]:
    """The object ids (lower case) whose access policy has `release`, or all key permissions."""
    found = []
    for one in policies:
        allowed = {str(word).lower() for word in (one.get("permissions") or {}).get("keys") or ()}
        if allowed & {"release", "all"}:
            found.append(str(one.get("objectId", "")).lower())
    return found
