"""The chain of credentials of a session.

azure-identity's `DefaultAzureCredential` decides which credentials are in the chain, so its
variables (AZURE_TOKEN_CREDENTIALS and others) work as documented. There are two differences:

- `az` gets the subscription id. Otherwise a user of several tenants may get a token of the wrong
  tenant (Azure/azure-dev#1409).
- `az login` precedes the machine's identity, because the user chose it explicitly
  (Azure/azure-sdk-for-python#35268), unless AZURE_CLIENT_ID names an identity.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenCredential
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from ccgpu.azure.failed_sign_in import Attempt, SignInFailed, cause_of
from ccgpu.azure.github import assertion_source
from ccgpu.errors import UsageProblem
from ccgpu.net.request_log import RequestLog
from ccgpu.net.transport import network_transport
from ccgpu.scheduling.time_left import seconds_left

_AZ, _MACHINE = "AzureCliCredential", "ManagedIdentityCredential"
_AZ_SECONDS = 30  # `az` starts slowly on a busy machine; azure-identity would give it ten
_GITHUB = "ClientAssertionCredential (GitHub Actions)"


class NamedCredential:
    """A credential that knows which of its members returned the token, or why all failed."""

    def __init__(self, credential: TokenCredential, members: "Sequence[ChainMember]") -> None:
        self.credential = credential
        self._members = members

    @property
    def signed_in_with(self) -> str | None:
        """The member that returned the last token; None before the first."""
        return next((one.name for one in self._members if one.succeeded), None)

    def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        """A token; raises `SignInFailed` if no member returns one."""
        info = self.get_token_info(*scopes, options=more or None)
        return AccessToken(info.token, info.expires_on)

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        """A token.

        Raises:
            SignInFailed: No member has returned one.
            ServiceRequestError: A member has returned a token before, and the network fails now:
                the request can be retried.
        """
        known = self.signed_in_with
        for member in self._members:
            member.attempt = None
        try:
            credential: Any = self.credential
            info: AccessTokenInfo = credential.get_token_info(*scopes, options=options or {})
        except ClientAuthenticationError as err:
            attempts = [one.attempt for one in self._members if one.attempt]
            cause = cause_of(attempts or [Attempt(type(self.credential).__name__, str(err))])
            if known and cause.transient:
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
        self._attempts = threading.local()  # several requests may sign in at the same time
        self.succeeded = False

    @property
    def attempt(self) -> Attempt | None:
        """How the last attempt of this thread failed; None if it has not."""
        return getattr(self._attempts, "last", None)

    @attempt.setter
    def attempt(self, value: Attempt | None) -> None:
        self._attempts.last = value

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        """The member's token; an exception is recorded in `attempt` and raised."""
        try:
            info: AccessTokenInfo = self.credential.get_token_info(*scopes, options=options)
        except Exception as err:
            self.attempt = Attempt(self.name, str(err))
            raise
        self.succeeded = True
        return info


def default_credential(
    authority: str,
    subscription: str,
    environ: Mapping[str, str] = os.environ,
    log: RequestLog | None = None,
) -> NamedCredential:
    """The credential for `subscription`. `log`: is told of our own requests, not the SDK's.

    In GitHub Actions with an identity in AZURE_TENANT_ID and AZURE_CLIENT_ID, it uses GitHub's
    assertions; else it is the default chain.
    """
    from azure.identity import ClientAssertionCredential, DefaultAzureCredential

    tenant, client = environ.get("AZURE_TENANT_ID"), environ.get("AZURE_CLIENT_ID")
    fetch = assertion_source(environ, log)
    waits: Any = {"transport": network_transport()}
    if fetch and tenant and client:
        federated = ClientAssertionCredential(tenant, client, fetch, authority=authority, **waits)
        member: Any = ChainMember(federated, _GITHUB)
        return NamedCredential(member, [member])
    chain: Any = DefaultAzureCredential(authority=authority, **waits)
    members = [ChainMember(one) for one in chain.credentials]
    for one in members:
        if one.name == _AZ:
            one.credential = _AzureCli(subscription)
    ordered = members if client else _az_first(members)
    chain.credentials = tuple(ordered)
    return NamedCredential(chain, ordered)


class _AzureCli:
    """azure-identity's `az`, which gets no more time than the request that needs the token."""

    def __init__(self, subscription: str) -> None:
        self._subscription = subscription
        try:
            self._credential(_AZ_SECONDS)
        except ValueError as err:
            raise UsageProblem(
                f"{subscription!r} is not a subscription id",
                hint="`az account list -o table` lists your subscriptions",
            ) from err

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        """The token that `az` prints."""
        seconds = ceil(min(_AZ_SECONDS, max(1.0, seconds_left())))
        info: AccessTokenInfo = self._credential(seconds).get_token_info(*scopes, options=options)
        return info

    def _credential(self, seconds: int) -> Any:
        from azure.identity import AzureCliCredential

        return AzureCliCredential(subscription=self._subscription, process_timeout=seconds)

    def close(self) -> None:
        """Nothing is open."""


def _az_first(members: list[ChainMember]) -> list[ChainMember]:
    """The chain with the machine's identity right after `az`, if it has both."""
    names = [one.name for one in members]
    if _AZ not in names or _MACHINE not in names:
        return members
    machine = members[names.index(_MACHINE)]
    ordered = [one for one in members if one is not machine]
    ordered.insert([one.name for one in ordered].index(_AZ) + 1, machine)
    return ordered
