"""A session: a subscription in one of Azure's clouds, a credential, and the HTTP pipeline.

This is the only module that parses a token. It reads the claims `ipaddr`, `idtyp` and `scp`, only
for the default of a firewall rule. A token is never stored or printed.
"""

import base64
import binascii
import ipaddress
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.pipeline import Pipeline
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest, HttpResponse

from ccgpu.azure.errors import translating_errors
from ccgpu.net import answers
from ccgpu.net.dates import ServerDate
from ccgpu.net.fetch import Web
from ccgpu.net.pace import Pace
from ccgpu.net.pipeline import pipeline
from ccgpu.net.request_log import RequestLog
from ccgpu.net.sign_in import SignIn, credential_name
from ccgpu.net.transport import network_transport

T = TypeVar("T")

# The SDK logs warnings with tracebacks for errors that ccgpu translates and reports itself. Without
# a handler Python would print them on stderr (docs.python.org, Logging HOWTO).
logging.getLogger("azure").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class AzureEnvironment:
    """One of Azure's clouds: the hosts of its Resource Manager and of its sign-in authority."""

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
    """A subscription, a credential, and the HTTP transport of the clients.

    `transport`: None for the network; the fake and tests pass their own. `log`: is told of each
    request. `pace`: counts the requests to Resource Manager.
    """

    def __init__(
        self,
        subscription: str,
        environment: AzureEnvironment,
        credential: TokenCredential,
        transport: RequestsTransport | None = None,
        log: RequestLog | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.subscription = subscription
        self.environment = environment
        self._credential = credential
        self._transport = network_transport() if transport is None else transport
        self._log = log
        self.server_date = ServerDate()
        sign_in: Any = SignIn(credential, environment.scope)
        observers = [self.server_date] if pace is None else [self.server_date, pace]
        policies = pipeline([environment.host], sign_in, *observers, log=log)
        # All clients of Resource Manager share its pipeline, and so one token.
        self._pipeline: Pipeline[HttpRequest, HttpResponse] = Pipeline(self._transport, policies)
        self.arm: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            f"https://{environment.host}", pipeline=self._pipeline
        )

    @property
    def signed_in_with(self) -> str | None:
        """azure-identity's name of the credential that returned the token; None before that."""
        return credential_name(self._credential)

    def client(self, client_class: Callable[..., T], subscription: str | None = None) -> T:
        """A typed client of the class `client_class`, with ccgpu's pipeline instead of the SDK's.

        `subscription`: None for the session's own.
        """
        return client_class(
            self._credential,
            subscription or self.subscription,
            f"https://{self.environment.host}",
            credential_scopes=[self.environment.scope],
            policies=[],  # none of the SDK's own
            pipeline=self._pipeline,
        )

    def service_client(self, client_class: Callable[..., T], host: str, scope: str) -> T:
        """A typed client of one host that is not Resource Manager, with ccgpu's pipeline.

        scope: of the token that is sent to that host, and to no other.
        """
        sign_in: Any = SignIn(self._credential, scope)
        return client_class(
            f"https://{host}",
            self._credential,
            policies=pipeline([host], sign_in, log=self._log),
            transport=self._transport,
        )

    def storage_pipeline(
        self, host: str, *observers: SansIOHTTPPolicy[Any, Any]
    ) -> Pipeline[HttpRequest, HttpResponse]:
        """A pipeline to one host of the storage service, without a token: the URL has it."""
        return Pipeline(self._transport, pipeline([host], None, *observers, log=self._log))

    def web(self, hosts: Sequence[str]) -> Web:
        """A client without a token, for these hosts, over the same transport."""
        return Web(hosts, self._transport, self._log)

    def caller_address(self) -> str | None:
        """The public IPv4 or IPv6 address from which a user signed in; None for a workload.

        It is the `ipaddr` claim of the access token (Microsoft identity platform, access token
        claims). In a workload's token the claim may be the address of a machine of Azure.
        """
        claims = self._claims()
        is_user = claims.get("idtyp") == "user" or "scp" in claims
        return _ip_address(claims.get("ipaddr")) if is_user else None

    def tenant(self) -> str | None:
        """The tenant of the access token (its `tid` claim); None if the token does not say."""
        tenant = self._claims().get("tid")
        return tenant if isinstance(tenant, str) else None

    def _claims(self) -> dict[str, Any]:
        """The claims of an access token."""
        with translating_errors("signing in"):
            answers.note_response()  # the credential's requests do not use our pipeline
            token = self._credential.get_token(self.environment.scope).token
        return _token_claims(token)


def _token_claims(token: str) -> dict[str, Any]:
    """A JWT's payload, not verified: it is the caller's own token, and only used for a default."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}


def _ip_address(text: object) -> str | None:
    """An IP address in its usual form; an IPv4-mapped IPv6 address becomes IPv4."""
    if not isinstance(text, str):
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    ipv4 = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(ipv4 or address)
