"""The credential of a session: which one is asked, in which order, and which gave the token.

azure-identity's `DefaultAzureCredential` decides what is in the chain, so that its variables
(AZURE_TOKEN_CREDENTIALS and the others) work as its documents say. Two things differ. `az` is asked
for the subscription that is worked in: without that a user of several tenants gets a token of the
wrong one (Azure/azure-dev#1409). And `az login` comes before the machine's identity, because
somebody has typed it (Azure/azure-sdk-for-python#35268), unless AZURE_CLIENT_ID names an identity.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenCredential
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from ccgpu.azure.failed_sign_in import Attempt, SignInFailed, cause_of
from ccgpu.azure.github import assertion_source
from ccgpu.errors import UsageProblem
from ccgpu.net.transport import CONNECT, READ

_AZ, _MACHINE = "AzureCliCredential", "ManagedIdentityCredential"
_AZ_SECONDS = 30  # `az` starts slowly on a busy machine; azure-identity would give it ten
_GITHUB = "ClientAssertionCredential (GitHub Actions)"


class NamedCredential:
    """A credential that knows which of its members gave the token, and says why none did."""

    def __init__(self, credential: TokenCredential, members: "Sequence[ChainMember]") -> None:
        self.credential = credential
        self._members = members

    @property
    def signed_in_with(self) -> str | None:
        """The member that gave the last token; None before there is one."""
        return next((one.name for one in self._members if one.succeeded), None)

    def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        """A token, or `SignInFailed`."""
        info = self.get_token_info(*scopes, options=more or None)
        return AccessToken(info.token, info.expires_on)

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        """A token, or `SignInFailed`; a network that fails later is worth another try."""
        known = self.signed_in_with
        for member in self._members:
            member.attempt = None
        try:
            asked: Any = self.credential
            info: AccessTokenInfo = asked.get_token_info(*scopes, options=options or {})
        except ClientAuthenticationError as err:
            attempts = [one.attempt for one in self._members if one.attempt]
            cause = cause_of(attempts or [Attempt(type(self.credential).__name__, str(err))])
            if known and cause.passing:
                raise ServiceRequestError(cause.text) from err
            raise SignInFailed(cause) from err
        return info

    def close(self) -> None:
        """Close every member's connections."""
        for member in self._members:
            member.credential.close()


class ChainMember:
    """One credential of a chain, and how its last attempt ended."""

    def __init__(self, credential: Any, name: str | None = None) -> None:
        self.credential = credential
        self.name: str = (
            name or getattr(credential, "_credential_name", None) or type(credential).__name__
        )
        self._credential_name = self.name  # azure-identity's own messages name it so
        self.attempt: Attempt | None = None
        self.succeeded = False

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        """The member's token; what it raises is kept as well."""
        try:
            info: AccessTokenInfo = self.credential.get_token_info(*scopes, options=options)
        except Exception as err:
            self.attempt = Attempt(self.name, str(err))
            raise
        self.succeeded = True
        return info


def default_credential(
    authority: str, subscription: str, environ: Mapping[str, str] = os.environ
) -> NamedCredential:
    """In GitHub Actions its own assertions, for an identity that is named; else the usual chain."""
    from azure.identity import ClientAssertionCredential, DefaultAzureCredential

    tenant, client = environ.get("AZURE_TENANT_ID"), environ.get("AZURE_CLIENT_ID")
    fetch = assertion_source(environ)
    waits: Any = {"connection_timeout": CONNECT, "read_timeout": READ}
    if fetch and tenant and client:
        federated = ClientAssertionCredential(tenant, client, fetch, authority=authority, **waits)
        member: Any = ChainMember(federated, _GITHUB)
        return NamedCredential(member, [member])
    chain: Any = DefaultAzureCredential(authority=authority, **waits)
    members = [ChainMember(one) for one in chain.credentials]
    for one in members:
        if one.name == _AZ:
            one.credential = _azure_cli_credential(subscription)
    ordered = members if client else _az_first(members)
    chain.credentials = tuple(ordered)
    return NamedCredential(chain, ordered)


def _azure_cli_credential(subscription: str) -> Any:
    from azure.identity import AzureCliCredential

    try:
        return AzureCliCredential(subscription=subscription, process_timeout=_AZ_SECONDS)
    except ValueError as err:
        raise UsageProblem(
            f"{subscription!r} is not a subscription id",
            hint="`az account list -o table` lists your subscriptions",
        ) from err


def _az_first(members: list[ChainMember]) -> list[ChainMember]:
    """`az` before the machine's identity, where both are in the chain."""
    names = [one.name for one in members]
    if _AZ not in names or _MACHINE not in names:
        return members
    machine = members[names.index(_MACHINE)]
    ordered = [one for one in members if one is not machine]
    ordered.insert([one.name for one in ordered].index(_AZ) + 1, machine)
    return ordered
