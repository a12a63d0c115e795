"""Who asks, of which subscription in which cloud, and through which pipeline.

The one place where a token is looked into; `credentials` makes what gives them. A token is never
kept, printed or compared; the only claims read are `ipaddr` and `idtyp`, and only to pre-fill a
firewall rule.
"""

import base64
import binascii
import ipaddress
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from azure.core.credentials import TokenCredential
from azure.core.pipeline.transport import RequestsTransport

from ccgpu.azure.errors import translating_errors
from ccgpu.net import answers
from ccgpu.net.dates import ServerDate
from ccgpu.net.pipeline import pipeline
from ccgpu.net.sign_in import SignIn, credential_name
from ccgpu.net.transport import network_transport

T = TypeVar("T")

# The SDK warns, tracebacks included, of what is translated and told once anyway. Without a handler
# Python prints that on stderr; who wants to see it adds one (docs.python.org, Logging HOWTO).
logging.getLogger("azure").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class AzureEnvironment:
    """One of Azure's clouds: the host of its Resource Manager and the authority that signs in."""

    name: str
    host: str
    authority: str

    @property
    def scope(self) -> str:
        """The scope of a token for this Resource Manager."""
        return f"https://{self.host}/.default"


# Microsoft Learn, "Azure Government/China: endpoints"; azure-core `get_arm_endpoints`.
ENVIRONMENTS = {
    "public": AzureEnvironment("public", "management.azure.com", "login.microsoftonline.com"),
    "usgov": AzureEnvironment("usgov", "management.usgovcloudapi.net", "login.microsoftonline.us"),
    "china": AzureEnvironment("china", "management.chinacloudapi.cn", "login.chinacloudapi.cn"),
}


class Session:
    """A subscription, a credential, and the seam below the clients.

    `transport` is the seam: `None` is the network, the fake passes its own.
    """

    def __init__(
        self,
        subscription: str,
        environment: AzureEnvironment,
        credential: TokenCredential,
        transport: RequestsTransport | None = None,
    ) -> None:
        self.subscription = subscription
        self.environment = environment
        self._credential = credential
        self._transport = network_transport() if transport is None else transport
        self.server_date = ServerDate()

    @property
    def signed_in_with(self) -> str | None:
        """The credential that gave the token, azure-identity's name of it; None before."""
        return credential_name(self._credential)

    def client(self, made: Callable[..., T], subscription: str | None = None) -> T:
        """A typed client with our pipeline and nothing of the SDK's.

        `subscription`: where it is not the one that is worked in.
        """
        sign_in: Any = SignIn(self._credential, self.environment.scope)
        return made(
            self._credential,
            subscription or self.subscription,
            f"https://{self.environment.host}",
            credential_scopes=[self.environment.scope],
            policies=pipeline([self.environment.host], sign_in, self.server_date),
            transport=self._transport,
        )

    def caller_address(self) -> str | None:
        """The public address a *user* signed in from, IPv4 or IPv6; None for anybody else.

        It is the `ipaddr` claim of the access token (Microsoft identity platform, access token
        claims); a workload's token may carry one too, but it is some machine's of Azure.
        """
        with translating_errors("signing in"):
            answers.note_response()  # nobody sees what the credential is answered
            token = self._credential.get_token(self.environment.scope).token
        claims = _token_claims(token)
        is_user = claims.get("idtyp") == "user" or "scp" in claims
        return _ip_address(claims.get("ipaddr")) if is_user else None


def _token_claims(token: str) -> dict[str, Any]:
    """A JWT's payload, unverified: it is our own token, and only fills in a default."""
    try:
        middle = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}


def _ip_address(text: object) -> str | None:
    """An address in its usual form; an IPv4 one in the clothes of IPv6 is that."""
    if not isinstance(text, str):
        return None
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    inner = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(inner or found)
