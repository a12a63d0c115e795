"""Who asks, of which subscription in which cloud, and through which pipeline.

The one place where a credential is made or a token is looked into. A token is never kept, printed
or compared; the only claims read are `ipaddr` and `idtyp`, and only to pre-fill a firewall rule.
"""

import base64
import binascii
import ipaddress
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from azure.core.credentials import TokenCredential
from azure.core.pipeline.transport import RequestsTransport

from ccgpu.azure.errors import translated
from ccgpu.azure.github import assertions
from ccgpu.net import answers
from ccgpu.net.dates import ServerDate
from ccgpu.net.pipeline import pipeline
from ccgpu.net.sign_in import SignIn
from ccgpu.net.transport import CONNECT, READ, network

T = TypeVar("T")

# The SDK warns, tracebacks included, of what is translated and told once anyway. Without a handler
# Python prints that on stderr; who wants to see it adds one (docs.python.org, Logging HOWTO).
logging.getLogger("azure").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Cloud:
    """One of Azure's clouds: the host of its Resource Manager and the authority that signs in."""

    name: str
    host: str
    authority: str

    @property
    def scope(self) -> str:
        """The scope of a token for this Resource Manager."""
        return f"https://{self.host}/.default"


# Microsoft Learn, "Azure Government/China: endpoints"; azure-core `get_arm_endpoints`.
CLOUDS = {
    "public": Cloud("public", "management.azure.com", "login.microsoftonline.com"),
    "usgov": Cloud("usgov", "management.usgovcloudapi.net", "login.microsoftonline.us"),
    "china": Cloud("china", "management.chinacloudapi.cn", "login.chinacloudapi.cn"),
}


class Session:
    """A subscription, a credential, and the seam below the clients.

    `transport` is the seam: `None` is the network, the fake passes its own.
    """

    def __init__(
        self,
        subscription: str,
        cloud: Cloud,
        credential: TokenCredential,
        transport: RequestsTransport | None = None,
    ) -> None:
        self.subscription = subscription
        self.cloud = cloud
        self._credential = credential
        self._transport = network() if transport is None else transport
        self.server_date = ServerDate()

    def client(self, made: Callable[..., T]) -> T:
        """A typed client with our pipeline and nothing of the SDK's."""
        sign_in: Any = SignIn(self._credential, self.cloud.scope)
        return made(
            self._credential,
            self.subscription,
            f"https://{self.cloud.host}",
            credential_scopes=[self.cloud.scope],
            policies=pipeline([self.cloud.host], sign_in, self.server_date),
            transport=self._transport,
        )

    def caller_address(self) -> str | None:
        """The public IPv4 address a *user* signed in from; None for anybody else.

        It is the `ipaddr` claim of the access token (Microsoft identity platform, access token
        claims); a workload's token may carry one too, but it is some machine's of Azure.
        """
        with translated("signing in"):
            answers.note()  # nobody sees what the credential is answered
            token = self._credential.get_token(self.cloud.scope).token
        claims = _claims(token)
        is_user = claims.get("idtyp") == "user" or "scp" in claims
        return _ipv4(claims.get("ipaddr")) if is_user else None


def default_credential(cloud: Cloud, environ: Mapping[str, str] = os.environ) -> TokenCredential:
    """In GitHub Actions its own assertions, for an identity that is named; else the usual chain.

    The chain is azure-identity's: environment, workload, managed identity, az, azd, PowerShell.
    """
    from azure.identity import ClientAssertionCredential, DefaultAzureCredential

    tenant, client = environ.get("AZURE_TENANT_ID"), environ.get("AZURE_CLIENT_ID")
    fetch = assertions(environ)
    waits: Any = {"connection_timeout": CONNECT, "read_timeout": READ}
    if fetch and tenant and client:
        return ClientAssertionCredential(tenant, client, fetch, authority=cloud.authority, **waits)
    return DefaultAzureCredential(authority=cloud.authority, **waits)


def _claims(token: str) -> dict[str, Any]:
    """A JWT's payload, unverified: it is our own token, and only fills in a default."""
    try:
        middle = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}


def _ipv4(text: object) -> str | None:
    try:
        return str(ipaddress.IPv4Address(text)) if isinstance(text, str) else None
    except ValueError:
        return None
