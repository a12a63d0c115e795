"""Write a release policy, and create an exportable key under one."""

from collections.abc import Callable
from functools import partial

from ccgpu.azure.context import AzureContext
from ccgpu.azure.key_vault import KeyVaultKeys
from ccgpu.azure.long_running import send_alone
from ccgpu.azure.run import Run
from ccgpu.domain import release_policy, time_limits
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.key_vault import KeyState, VaultAddress, WantedKey
from ccgpu.domain.release_claims import UnfitClaims, WantedPolicy, not_demanded, policy_for
from ccgpu.domain.release_findings import CreatedKey
from ccgpu.domain.release_policy import InvalidReleasePolicy, ReleasePolicy
from ccgpu.errors import AlreadyExists, InvalidFile, NotFound, Problem, UsageProblem
from ccgpu.workflows.discovery.search import find_names, require_vm
from ccgpu.workflows.key_vault.claims_source import (
    ClaimsOfToken,
    GivenFile,
    WantedToken,
    claims_of_deployment,
    is_provider,
)

TIMEOUT = time_limits.KEY_VAULT


def write_policy(source: ClaimsOfToken, wanted: WantedPolicy) -> ReleasePolicy:
    """The release policy for a VM of which these claims are known.

    Raises:
        UsageProblem: no policy can be written for them.
    """
    try:
        return policy_for(source.claims, wanted, source.authority)
    except UnfitClaims as err:
        raise UsageProblem(
            f"no release policy can be written for the claims {source.origin}: {err}",
            hint="a guest's token has them below x-ms-isolation-tee; `--token-kind` says whose",
        ) from err


def read_policy(given: GivenFile) -> ReleasePolicy:
    """The release policy in a file.

    Raises:
        InvalidFile: it is none, or not of Microsoft's attestation services alone: whoever runs
            another one would get the key.
    """
    try:
        policy = release_policy.parse(given.raw)
        _require_providers(policy)
    except InvalidReleasePolicy as err:
        raise InvalidFile(
            given.name,
            [Problem(err.path, err.message)],
            hint="`ccgpu keyvault policy NAME` writes one",
        ) from err
    return policy


def policy_of_deployment(
    cloud: AzureContext, name: str, group: str | None, token: WantedToken, wanted: WantedPolicy
) -> tuple[ReleasePolicy, ClaimsOfToken]:
    """The release policy for a deployment's VM, and the claims it is written for."""
    run = Run.begin(cloud, TIMEOUT)
    vm = require_vm(run, find_names(run, name, group))
    source = claims_of_deployment(cloud, name, vm, token)
    return write_policy(source, wanted), source


def create_key(
    cloud: AzureContext,
    address: VaultAddress,
    policy: ReleasePolicy,
    make: Callable[[bytes], WantedKey],
    *,
    new_version: bool = False,
    timeout: float = TIMEOUT,
    listen: Listener = ignore_event,
) -> CreatedKey:
    """Create a key under the policy, and read it again.

    make: the wanted key for an encoded policy. new_version: add a version to a key that exists.

    Raises:
        AlreadyExists: the key exists, or is deleted and can be recovered.
        UsageProblem: the vault has stored something else than what was asked for.
    """
    run = Run.begin(cloud, timeout, listen)
    keys = KeyVaultKeys(cloud.session, address)
    wanted = make(release_policy.encode(policy))
    if left := not_demanded(policy):
        run.tell("note", f"a VM gets the key without {', '.join(left)}: the policy asks for less")
    if not new_version:
        _require_new(run, keys, wanted.name)
    doing = f"creating the key {wanted.name}"
    made = send_alone(run, partial(keys.create, wanted), doing)
    stored = send_alone(run, partial(keys.get, wanted.name, made.version), doing)
    _require_as_asked(stored, policy)
    return CreatedKey(stored, address, policy)


def _require_providers(policy: ReleasePolicy) -> None:
    for number, one in enumerate(policy.authorities):
        if not is_provider(one.authority.removesuffix("/")):
            what = "must be Microsoft's attestation service, https://….attest.azure.net or .us"
            raise InvalidReleasePolicy(f"anyOf[{number}].authority", what)


def _require_new(run: Run, keys: KeyVaultKeys, name: str) -> None:
    try:
        send_alone(run, partial(keys.get, name), f"reading the key {name}")
    except NotFound:
        return
    raise AlreadyExists(
        f"the key {name} exists in {keys.address.host}",
        code="KeyExists",
        hint="use another name, or add a version to it: `--new-version`",
    )


def _require_as_asked(key: KeyState, policy: ReleasePolicy) -> None:
    """Refuse a key that others could get, or that nobody could: read back, it must be as asked."""
    try:
        same = release_policy.parse(key.policy or b"") == policy
    except InvalidReleasePolicy:
        same = False
    if not (same and key.exportable):
        raise UsageProblem(
            f"the vault has created {key.id}, but with another release policy, or not exportable",
            hint="delete that version, and see the policy of the other versions of the key",
        )
