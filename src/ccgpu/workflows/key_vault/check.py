"""Why a release would succeed or fail: the key's policy by the claims, and all around it.

Nothing is released, and nothing is changed. What cannot be read is neither a yes nor a no.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from ccgpu.attest.check import Checks
from ccgpu.attest.tokens import release_token
from ccgpu.azure.context import AzureContext
from ccgpu.azure.key_vault import KeyVaultKeys
from ccgpu.azure.key_vault_access import VaultAccess
from ccgpu.azure.long_running import send_alone
from ccgpu.azure.run import Run
from ccgpu.domain import release_conditions, release_policy
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.key_vault import KeyState, VaultAddress, VaultState, VmPrincipal
from ccgpu.domain.release_answer import TokenClaims, explain
from ccgpu.domain.release_conditions import Condition
from ccgpu.domain.release_findings import EXPECTED, NOT_SEEN, ReleaseFindings
from ccgpu.domain.release_policy import InvalidReleasePolicy, ReleasePolicy
from ccgpu.domain.resource import Body
from ccgpu.errors import AzureRefused, Denied, NotFound
from ccgpu.workflows.discovery.search import find_names, require_vm
from ccgpu.workflows.key_vault.claims_source import (
    ClaimsOfToken,
    GivenFile,
    WantedToken,
    claims_of_deployment,
    claims_of_file,
)
from ccgpu.workflows.key_vault.creation import TIMEOUT
from ccgpu.workflows.key_vault.key_sets import fetch_key_set
from ccgpu.workflows.key_vault.principals import principals_of


@dataclass(frozen=True, slots=True)
class ReleaseCheck:
    """What is checked. token: what its file holds; without it, the claims are expected.

    name, group: the deployment whose VM asks for the release; None for no VM.
    """

    address: VaultAddress
    key: str
    version: str | None = None
    name: str | None = None
    group: str | None = None
    token: GivenFile | None = None
    wanted: WantedToken = WantedToken()  # noqa: RUF009  # frozen


def check_release(
    cloud: AzureContext,
    asked: ReleaseCheck,
    timeout: float = TIMEOUT,
    listen: Listener = ignore_event,
) -> ReleaseFindings:
    """Look at the key, its policy, its vault, the token, and the VM's identity.

    Raises:
        NotFound: there is no such key.
        EvidenceRejected: no token was given, and the VM is not attested.
    """
    run = Run.begin(cloud, timeout, listen)
    # 1. The key.
    key = _read_key(run, asked)
    # 2. The claims: of a token, or expected of the VM.
    names = None if asked.name is None else find_names(run, asked.name, asked.group)
    vm = None if names is None else require_vm(run, names)
    source = _source(cloud, asked, vm)
    # 3. The policy's answer to them.
    policy, condition = _parse_policy(key)
    answer = None
    if policy is not None:
        answer = explain(policy, TokenClaims(source.claims, source.complete))
    # 4. The token itself, then key, vault and identity.
    now = datetime.fromtimestamp(cloud.wall(), UTC)
    conditions = [*release_conditions.key_conditions(key, now), *condition]
    conditions += _token_conditions(run, source, policy, now)
    vault = _read_vault(run, asked.address)
    managed = asked.address.managed_hsm
    conditions += release_conditions.vault_conditions(vault, managed_hsm=managed)
    principals = _principals(run, vm, vault, asked.address)
    conditions += release_conditions.identity_conditions(principals, vault)
    not_seen = NOT_SEEN if source.token is not None else (EXPECTED, *NOT_SEEN)
    return ReleaseFindings(key, asked.address, source.origin, conditions, answer, not_seen)


def _read_key(run: Run, asked: ReleaseCheck) -> KeyState:
    keys = KeyVaultKeys(run.cloud.session, asked.address)
    doing = f"reading the key {asked.key}"
    try:
        return send_alone(run, partial(keys.get, asked.key, asked.version), doing)
    except NotFound as err:
        if send_alone(run, partial(keys.is_deleted, asked.key), doing):
            raise NotFound(
                f"the key {asked.key} in {asked.address.host} is deleted, and can be recovered",
                code="KeyDeleted",
                hint=f"`az keyvault key recover --name {asked.key}`",
            ) from err
        raise


def _source(cloud: AzureContext, asked: ReleaseCheck, vm: Body | None) -> ClaimsOfToken:
    if asked.token is not None:
        return claims_of_file(asked.token)
    if asked.name is None or vm is None:
        raise AssertionError("neither a deployment nor a token")
    return claims_of_deployment(cloud, asked.name, vm, asked.wanted)


def _parse_policy(key: KeyState) -> tuple[ReleasePolicy | None, Sequence[Condition]]:
    """The key's policy, and the condition that it can be judged, if it cannot."""
    if key.policy is None:
        return None, ()
    try:
        return release_policy.parse(key.policy), ()
    except InvalidReleasePolicy as err:
        what, remedy = "ccgpu can read the policy", "write another: `ccgpu keyvault policy`"
        return None, (Condition("policy.read", what, holds=False, found=str(err), remedy=remedy),)


def _token_conditions(
    run: Run, source: ClaimsOfToken, policy: ReleasePolicy | None, now: datetime
) -> Sequence[Condition]:
    """Whether Key Vault will believe the token; none for claims without one."""
    what = "Key Vault will believe the token"
    if source.token is None:
        if not source.complete:
            return ()
        remedy = "give the token itself: its claims alone prove nothing"
        return (Condition("token", what, None, "claims without a token", remedy),)
    keys, why = fetch_key_set(run, release_token.key_set_address(source.token))
    if keys is None:
        remedy = "check again when the attestation service answers"
        return (Condition("token.keys", what, None, why, remedy),)
    checks = Checks()
    authorities = [] if policy is None else [one.authority for one in policy.authorities]
    release_token.verify(source.token, keys, authorities, now, checks)
    failed = [one for one in checks.made if not one.ok]
    if not failed:
        found = f"{len(checks.made)} checks of its signature, times and key hold"
        return (Condition("token", what, holds=True, found=found),)
    remedy = "get a new token in the VM, from a provider that the policy names"
    return tuple(
        Condition(one.id, one.what, holds=False, found=one.actual, remedy=remedy) for one in failed
    )


def _read_vault(run: Run, address: VaultAddress) -> VaultState | None:
    """The vault's resource; None if it is not in the subscription, or may not be read."""
    find = partial(VaultAccess(run.cloud.arm).find, address)
    try:
        return send_alone(run, find, f"reading the vault {address.name}")
    except Denied:
        return None


def _principals(
    run: Run, vm: Body | None, vault: VaultState | None, address: VaultAddress
) -> Sequence[VmPrincipal] | None:
    """The VM's identities, and whether each may release; None without a VM."""
    if vm is None:
        return None
    access = VaultAccess(run.cloud.arm)
    found = []
    for label, object_id in principals_of(vm):
        why = "the vault's roles were not read"
        if vault is not None and not address.managed_hsm:
            read = access.by_roles if vault.by_role else access.by_policies
            try:
                ask = partial(read, vault, label, object_id)
                found.append(send_alone(run, ask, f"reading who may release keys of {vault.id}"))
            except AzureRefused as err:
                why = f"cannot be read: {err}"
            else:
                continue
        found.append(VmPrincipal(label, object_id, None, why))
    return found
