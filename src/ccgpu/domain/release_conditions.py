"""What must hold for a release besides the key's policy: the key, its vault, the VM's identity.

Each condition has three answers: it holds, it does not, or it could not be read. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ccgpu.domain.key_vault import KeyState, VaultState, VmPrincipal

RELEASE_ACTION = "Microsoft.KeyVault/vaults/keys/release/action"
RELEASE_ROLE = "Key Vault Crypto Service Release User"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. `holds`: None if that is not known. `remedy`: what to do if it is not True."""

    id: str
    what: str
    holds: bool | None
    found: str
    remedy: str | None = None


def overall(conditions: Iterable[Condition]) -> bool | None:
    """Whether all hold: False if one does not, else None if one is not known."""
    answers = [one.holds for one in conditions]
    return False if False in answers else None if None in answers or not answers else True


def key_conditions(key: KeyState, now: datetime) -> Sequence[Condition]:
    """What must hold of the key itself, at a time."""
    hsm = key.kind.endswith("-HSM")
    begun = key.not_before is None or key.not_before <= now
    lasts = key.expires is None or now < key.expires
    again = "create another key: `ccgpu keyvault create-key`"
    return (
        Condition("key.enabled", "the key is enabled", key.enabled, _yes(key.enabled), _ENABLE),
        Condition("key.begun", "the key is valid already", begun, _date(key.not_before), _DATES),
        Condition("key.lasts", "the key has not expired", lasts, _date(key.expires), _DATES),
        Condition("key.hsm", "an HSM protects the key", hsm, key.kind, again),
        Condition(
            "key.exportable",
            "the key may be exported",
            key.exportable,
            _yes(key.exportable),
            f"{again}: this cannot be changed later",
        ),
        Condition(
            "key.policy",
            "the key has a release policy",
            key.policy is not None,
            _yes(key.policy is not None),
            again,
        ),
    )


_ENABLE = "enable the key: `az keyvault key set-attributes --enabled true`"
_DATES = "change the key's dates: `az keyvault key set-attributes`"


def vault_conditions(vault: VaultState | None, *, managed_hsm: bool) -> Sequence[Condition]:
    """What must hold of the vault; None if its resource could not be read."""
    sku_what, reach_what = "the vault can release keys", "the VM can reach the vault"
    if vault is None:
        remedy = "name the vault's subscription: `--subscription ID`; it needs a right to read it"
        sku = True if managed_hsm else None
        found = "a managed HSM" if managed_hsm else "its resource was not read"
        return (
            Condition("vault.sku", sku_what, sku, found, remedy),
            Condition("vault.network", reach_what, None, "its resource was not read", remedy),
        )
    fit = managed_hsm or vault.sku == "premium"
    return (
        Condition("vault.sku", sku_what, fit, f"SKU {vault.sku}", "use a vault of the SKU premium"),
        _network(vault, reach_what),
    )


def _network(vault: VaultState, what: str) -> Condition:
    if vault.public and not vault.restricted:
        return Condition("vault.network", what, holds=True, found="open to all networks")
    closed = "public access is disabled" if not vault.public else "only listed networks"
    if vault.exceptions:
        found = f"{closed}, and there are such exceptions"
        remedy = "see whether one is for the VM: its subnet, its public address, a private endpoint"
        return Condition("vault.network", what, None, found, remedy)
    remedy = "allow the VM's subnet or public address, or make a private endpoint in its network"
    return Condition("vault.network", what, holds=False, found=f"{closed}", remedy=remedy)


def identity_conditions(
    principals: Sequence[VmPrincipal] | None, vault: VaultState | None
) -> Sequence[Condition]:
    """What must hold of the VM's identities; none if there is no VM to ask about."""
    if principals is None:
        return ()
    assigned = Condition(
        "identity.assigned",
        "the VM has an identity",
        bool(principals),
        ", ".join(one.label for one in principals) or "none",
        "`ccgpu create --identity system`, or `--identity ID`",
    )
    if not principals:
        return (assigned,)
    answers = [one.may_release for one in principals]
    may = True if True in answers else None if None in answers else False
    found = "; ".join(f"{one.label}: {one.why}" for one in principals)
    by_role = vault is None or vault.by_role
    first = principals[0].object_id
    remedy = (
        f"assign the role {RELEASE_ROLE} on the vault to {first}"
        if by_role
        else f"`az keyvault set-policy --key-permissions release --object-id {first}`"
    )
    return (
        assigned,
        Condition("identity.release", "that identity may release keys", may, found, remedy),
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _date(moment: datetime | None) -> str:
    return "no date" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
