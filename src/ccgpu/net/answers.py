"""Per-thread facts on the current request: whether a response was received, its id, who signed it.

Before any response, a parsing error is our bug. A call, its request and its response are all in the
same thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy

from ccgpu.net import request_log

_received: ContextVar[bool] = ContextVar("received", default=False)
_correlation: ContextVar[str | None] = ContextVar("correlation", default=None)
_credential: ContextVar[str | None] = ContextVar("credential", default=None)


class ResponseTracker(SansIOHTTPPolicy[Any, Any]):
    """A policy that notes each response."""

    def on_request(self, _: PipelineRequest[Any]) -> None:
        """Forget the id of the response before."""
        _correlation.set(None)

    def on_response(self, _: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        """Note the response, and its correlation id."""
        note_response()
        _correlation.set(request_log.correlation_id(response.http_response.headers))


def note_response() -> None:
    """Note that a response was received."""
    _received.set(True)


def response_received() -> bool:
    """Whether a response was received since the `tracked_request` began."""
    return _received.get()


def note_credential(name: str | None) -> None:
    """Note the credential whose token signs the current request."""
    _credential.set(name)


def signed_in_with() -> str | None:
    """The credential that signed the last request since the `tracked_request` began."""
    return _credential.get()


def correlation_id() -> str | None:
    """The correlation id of the last response since the `tracked_request` began."""
    return _correlation.get()


@contextmanager
def tracked_request() -> Iterator[None]:
    """Track a request: reset all facts, and restore them at the end."""
    received, credential = _received.set(False), _credential.set(None)
    correlation = _correlation.set(None)
    try:
        yield
    finally:
        _received.reset(received)
        _credential.reset(credential)
        _correlation.reset(correlation)
