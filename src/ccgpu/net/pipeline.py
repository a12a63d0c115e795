"""The HTTP pipeline of every request of `ccgpu`.

It does not retry (the scheduler does), follow redirects, or register resource providers. Requests,
and so bearer tokens, are sent only to the given hosts. Nothing of a request is logged but what
`net/request_log.py` keeps.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import (
    ContentDecodePolicy,
    HeadersPolicy,
    HTTPPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)

from ccgpu import __version__
from ccgpu.net.answers import ResponseTracker
from ccgpu.net.request_log import RequestLog
from ccgpu.net.transport import TimeLimit


class RequestId(SansIOHTTPPolicy[Any, Any]):
    """A new random id for each attempt: ARM may answer a repeated one from its cache.

    That of azure-core's own policy is a UUID of version 1, which tells the MAC address of this
    machine to every server (RFC 9562, section 5.1).
    """

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Set the header (ARM RPC, common-api-details.md, "Client Request Headers")."""
        request.http_request.headers["x-ms-client-request-id"] = str(uuid4())


class ForeignHost(ServiceRequestError):
    """A request to a host that is not allowed; it was not sent."""


class OnlyTo(SansIOHTTPPolicy[Any, Any]):
    """A policy that refuses every request except HTTPS to one of the hosts.

    A host that begins with a dot stands for all names that end with it.

    An `Azure-AsyncOperation` header may name any host. The policy precedes the sign-in policy, so
    no token is requested for such a host.
    """

    def __init__(self, hosts: Sequence[str]) -> None:
        names = [host.casefold() for host in hosts]
        self._hosts = frozenset(name for name in names if not name.startswith("."))
        self._suffixes = tuple(name for name in names if name.startswith("."))

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Raise `ForeignHost` if the request is not allowed."""
        url = urlsplit(request.http_request.url)
        host = (url.hostname or "").casefold()
        known = host in self._hosts or host.endswith(self._suffixes)
        if url.scheme != "https" or not known:
            raise ForeignHost(f"refused to send a request to {url.hostname or 'no host'}")


class RequestLogger(HTTPPolicy[Any, Any]):
    """A policy that notes each request as it is sent, and how long it took."""

    def __init__(self, log: RequestLog) -> None:
        super().__init__()
        self._log = log

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send the request, and note how it ended."""
        sent, began = request.http_request, self._log.now()
        try:
            response = self.next.send(request)
        except BaseException as err:
            self._log.note(sent.method, sent.url, began, None, {}, type(err).__name__)
            raise
        answer = response.http_response
        self._log.note(sent.method, sent.url, began, answer.status_code, answer.headers)
        return response


def pipeline(
    hosts: Sequence[str],
    sign_in: HTTPPolicy[Any, Any] | None,
    *observers: SansIOHTTPPolicy[Any, Any],
    log: RequestLog | None = None,
) -> list[Any]:
    """The policies of one client, in order. Without `sign_in` no token is sent."""
    policies: list[Any] = [
        RequestId(),
        HeadersPolicy(),
        UserAgentPolicy(base_user_agent=f"ccgpu/{__version__}"),
        ContentDecodePolicy(),
        ResponseTracker(),
        OnlyTo(hosts),
        *observers,
    ]
    policies += [] if sign_in is None else [sign_in]
    policies += [] if log is None else [RequestLogger(log)]
    return [*policies, TimeLimit()]
