"""The one HTTP pipeline: what every request of `ccgpu` passes through.

It has no retry policy (the scheduler retries), no redirects, no registering of resource
providers, and no logging of headers or bodies. A bearer token leaves only for a host on the list.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import (
    ContentDecodePolicy,
    HeadersPolicy,
    HTTPPolicy,
    RequestIdPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)

from ccgpu import __version__
from ccgpu.net.answers import ResponseTracker


class ForeignHost(ServiceRequestError):
    """A request was about to leave for a host that is not on the list; it was not sent."""


class OnlyTo(SansIOHTTPPolicy[Any, Any]):
    """Refuses every request that is not HTTPS to one of the hosts.

    It stands before the sign-in policy, so that no token is even asked for: an
    `Azure-AsyncOperation` header may name any host.
    """

    def __init__(self, hosts: Sequence[str]) -> None:
        self._hosts = frozenset(host.casefold() for host in hosts)

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Raise `ForeignHost`, or let it pass."""
        url = urlsplit(request.http_request.url)
        if url.scheme != "https" or (url.hostname or "").casefold() not in self._hosts:
            raise ForeignHost(f"refused to send a request to {url.hostname or 'no host'}")


def pipeline(
    hosts: Sequence[str],
    sign_in: HTTPPolicy[Any, Any] | None,
    *observers: SansIOHTTPPolicy[Any, Any],
) -> list[Any]:
    """The policies of one client, in order. Without `sign_in` no token is sent."""
    policies: list[Any] = [
        RequestIdPolicy(),  # new for each attempt: ARM may repeat a cached answer for an old one
        HeadersPolicy(),
        UserAgentPolicy(base_user_agent=f"ccgpu/{__version__}"),
        ContentDecodePolicy(),
        ResponseTracker(),
        OnlyTo(hosts),
        *observers,
    ]
    return policies if sign_in is None else [*policies, sign_in]
