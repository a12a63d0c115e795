"""Whether anybody has answered yet: until then, nothing that fails is the fault of an answer.

And which credential signed the request.

Known for each thread by itself; a call, its request and its answer are all of one thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy

_heard: ContextVar[bool] = ContextVar("heard", default=False)
_signed: ContextVar[str | None] = ContextVar("signed", default=None)


class ResponseTracker(SansIOHTTPPolicy[Any, Any]):
    """Notes each answer."""

    def on_response(self, _: PipelineRequest[Any], __: PipelineResponse[Any, Any]) -> None:
        """Note it."""
        note_response()


def note_response() -> None:
    """From here on something has been said that may be nonsense."""
    _heard.set(True)


def response_received() -> bool:
    """Whether something has been said since `expected`."""
    return _heard.get()


def note_credential(name: str | None) -> None:
    """The request that is sent now is signed with a token of this credential."""
    _signed.set(name)


def signed_in_with() -> str | None:
    """The credential that signed the last request since `expected`."""
    return _signed.get()


@contextmanager
def tracked_request() -> Iterator[None]:
    """Nothing has been said yet."""
    before, signed = _heard.set(False), _signed.set(None)
    try:
        yield
    finally:
        _heard.reset(before)
        _signed.reset(signed)
