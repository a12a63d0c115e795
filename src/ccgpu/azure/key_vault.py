"""Keys in a vault or a managed HSM, over the optional package azure-keyvault-keys.

Its client gets ccgpu's pipeline: one allowed host, no logging of bodies, no retries of its own, and
a token of the vault's service. No key material is ever asked for: a release is the VM's to do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from azure.core import exceptions as sdk
from urllib3.exceptions import NameResolutionError

from ccgpu.azure.error_details import error_object, error_parts
from ccgpu.azure.errors import translating_errors
from ccgpu.azure.session import Session
from ccgpu.domain.key_vault import KeyState, VaultAddress, WantedKey
from ccgpu.domain.release_policy import CONTENT_TYPE
from ccgpu.errors import (
    AlreadyExists,
    AzureRefused,
    AzureUnavailable,
    CcgpuError,
    Denied,
    NotFound,
    UsageProblem,
)

if TYPE_CHECKING:
    from azure.keyvault.keys import KeyClient

_DELETED = "ObjectIsDeletedButRecoverable"
_BEING_DELETED = "ObjectIsBeingDeleted"
_ROLE_HINT = (
    "the role Key Vault Crypto Officer on the vault, or the key permissions get, create and list "
    "in its access policy, allow this; a new assignment takes a few minutes to apply"
)
# By the code of the inner error of a 403 (Microsoft Learn, "Azure Key Vault error codes").
_HINTS = {
    "ForbiddenByRbac": _ROLE_HINT,
    "AccessDenied": _ROLE_HINT,
    "ForbiddenByConnection": "this machine is in no network that the vault lets in",
    "ForbiddenByFirewall": "this machine's address is none that the vault's firewall lets in",
}


class KeyVaultKeys:
    """The keys of one vault. Each call sends one request."""

    def __init__(self, session: Session, address: VaultAddress) -> None:
        self.address = address
        self._client: KeyClient = session.service_client(
            _client_class(), address.host, address.scope
        )

    def create(self, wanted: WantedKey) -> KeyState:
        """Create an exportable key under a release policy; a new version if it exists.

        Raises:
            AlreadyExists: a deleted key of that name can still be recovered.
        """
        from azure.keyvault.keys import KeyReleasePolicy

        policy = KeyReleasePolicy(
            wanted.policy, content_type=CONTENT_TYPE, immutable=wanted.immutable or None
        )
        with self._translating(f"creating the key {wanted.name}", wanted.name):
            return _state(
                self._client.create_key(
                    wanted.name,
                    wanted.kind,
                    size=wanted.size,
                    curve=wanted.curve,
                    exportable=True,
                    release_policy=policy,
                )
            )

    def get(self, name: str, version: str | None = None) -> KeyState:
        """A version of a key, the latest if none is named; raises `NotFound` if there is none."""
        with self._translating(f"reading the key {name}", name):
            return _state(self._client.get_key(name, version))

    def is_deleted(self, name: str) -> bool:
        """Whether a deleted key of that name can be recovered."""
        try:
            with self._translating(f"looking for the deleted key {name}", name):
                self._client.get_deleted_key(name)
        except NotFound:
            return False
        return True

    @contextmanager
    def _translating(self, doing: str, name: str) -> Iterator[None]:
        """Translate the SDK's errors; Key Vault's inner error tells a conflict from a busy one."""
        doing = f"{doing} in {self.address.host}"
        with translating_errors(doing):
            try:
                yield
            except sdk.HttpResponseError as err:
                if refusal := _refusal(err, doing, name):
                    raise refusal from err
                raise
            except sdk.ServiceRequestError as err:
                if not _is_unresolved(err):
                    raise
                raise AzureRefused(
                    f"{doing}: the name of the host cannot be resolved",
                    code="HostNotResolved",
                    hint="see whether there is such a vault, and whether this machine has DNS",
                ) from err


def _refusal(err: sdk.HttpResponseError, doing: str, name: str) -> CcgpuError | None:
    """The error for a code that only Key Vault has; None for any other."""
    parts = error_parts(error_object(_body(err)))
    codes = [part.code for part in parts]
    text = " ".join(next((part.text for part in parts if part.text), "").split())
    if err.status_code == 409 and _DELETED in codes:
        return AlreadyExists(
            f"{doing}: a deleted key of this name can still be recovered [{_DELETED}]",
            code=_DELETED,
            hint=f"`az keyvault key recover --name {name}`, or use another name",
        )
    if err.status_code == 409 and _BEING_DELETED in codes:
        return AzureUnavailable(f"{doing}: it is being deleted", code=_BEING_DELETED)
    if err.status_code != 403:
        return None
    code = next((one for one in codes[1:] if one), "Forbidden")
    return Denied(f"{doing}: {text} [{code}]", code=code, hint=_HINTS.get(code))


def _is_unresolved(err: BaseException | None) -> bool:
    """Whether a host's name could not be resolved, by the chain of causes that requests keeps."""
    for _ in range(6):
        if err is None:
            return False
        if isinstance(err, NameResolutionError):
            return True
        first = err.args[0] if err.args else None
        inner = getattr(err, "inner_exception", None) or getattr(err, "reason", None)
        err = inner or (first if isinstance(first, BaseException) else None)
    return False


def _body(err: sdk.HttpResponseError) -> Any:
    response: Any = err.response
    try:
        return response.json()
    except (ValueError, AttributeError, sdk.AzureError):
        return None


def _client_class() -> type[Any]:
    """The client of the optional package."""
    try:
        from azure.keyvault.keys import KeyClient
    except ImportError:
        raise UsageProblem(
            "keys of Key Vault are handled with azure-keyvault-keys, which is not installed",
            hint="install it beside ccgpu: `pip install 'ccgpu[keyvault]'`",
        ) from None
    return KeyClient


def _state(key: Any) -> KeyState:
    properties = key.properties
    policy = properties.release_policy
    return KeyState(
        id=str(key.id),
        name=str(properties.name),
        version=str(properties.version),
        kind=str(getattr(key.key_type, "value", key.key_type)),
        enabled=properties.enabled is True,
        exportable=properties.exportable is True,
        not_before=properties.not_before,
        expires=properties.expires_on,
        policy=None if policy is None else bytes(policy.encoded_policy),
        immutable=policy is not None and policy.immutable is True,
    )
