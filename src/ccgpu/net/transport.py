"""The HTTP transport to the network, with short time-outs that follow the time left.

The SDK's default waits five minutes for a connection and five more for each part of a response
(azure-core, `ConnectionConfiguration`); a hung request would exceed any deadline by as much. What
holds for a request as a whole is `scheduling.time_left`: a time-out of the socket begins anew with
each byte.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any

from azure.core.exceptions import ServiceRequestTimeoutError, ServiceResponseTimeoutError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HTTPPolicy
from azure.core.pipeline.transport import RequestsTransport

from ccgpu.scheduling.time_left import seconds_left

# Seconds. Linux resends a lost SYN after 1, 3 and 7 s (RFC 6298, section 2), so this allows four.
CONNECT = 10.0
# Seconds. ARM waits 60 s for a resource provider and then returns an error of its own
# (resource-provider RPC v1.0), which a shorter timeout would miss.
READ = 75.0
_TOO_LATE = "there is no time left for a request"
_CHUNK = 64 * 1024  # bytes


class TimeLimit(HTTPPolicy[Any, Any]):
    """The last policy before the transport: no part of a request takes longer than what is left.

    A body is read part by part, as it comes, so that one that drips ends as well.
    """

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send the request, and read the body of the response unless it is to be streamed."""
        options = request.context.options
        streamed = options.get("stream", False)
        _shorten_waits(options)
        options["stream"] = True
        response = self.next.send(request)
        options["stream"] = streamed
        answer = response.http_response
        answer.internal_response.raw = _TimedBody(answer.internal_response.raw)
        if not streamed:
            answer.read()
        return response


def _shorten_waits(options: MutableMapping[str, Any]) -> None:
    """Let the time-outs of a request not exceed what is left; raises if nothing is."""
    left = seconds_left()
    if left <= 0.0:
        raise ServiceRequestTimeoutError(_TOO_LATE)
    options["connection_timeout"] = min(options.get("connection_timeout", CONNECT), left)
    options["read_timeout"] = min(options.get("read_timeout", READ), left)


class _TimedBody:
    """The body of a response, a file of urllib3, with a check of the time before each part."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, _: int = 0, decode_content: bool | None = None) -> Iterator[bytes]:
        """The parts of the body, each as soon as it has come; requests and the SDK read by it."""
        while part := self._raw.read1(_CHUNK, decode_content=decode_content):
            yield part
            if seconds_left() <= 0.0:
                raise ServiceResponseTimeoutError("the answer did not end in time")


class _LimitedTransport(RequestsTransport):  # type: ignore[misc]  # exported lazily, so typed Any
    """The same limits for clients whose policies are the SDK's: those of azure-identity."""

    def send(self, request: Any, **options: Any) -> Any:
        """Send the request."""
        _shorten_waits(options)
        return super().send(request, **options)

    def sleep(self, duration: float) -> None:
        """Wait before a retry of the SDK's; raises if that would be too late."""
        if duration >= seconds_left():
            raise ServiceRequestTimeoutError(_TOO_LATE)
        super().sleep(duration)


def network_transport() -> RequestsTransport:
    """A new transport, for one or more clients."""
    return _LimitedTransport(connection_timeout=CONNECT, read_timeout=READ)
