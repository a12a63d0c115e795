"""Whether anybody has answered yet: until then, nothing that fails is the fault of an answer.

Known for each thread by itself; a call, its request and its answer are all of one thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy

_heard: ContextVar[bool] = ContextVar("heard", default=False)


class Listens(SansIOHTTPPolicy[Any, Any]):
    """Notes each answer."""

    def on_response(self, _: PipelineRequest[Any], __: PipelineResponse[Any, Any]) -> None:
        """Note it."""
        note()


def note() -> None:
    """From here on something has been said that may be nonsense."""
    _heard.set(True)


def heard() -> bool:
    """Whether something has been said since `expected`."""
    return _heard.get()


@contextmanager
def expected() -> Iterator[None]:
    """Nothing has been said yet."""
    before = _heard.set(False)
    try:
        yield
    finally:
        _heard.reset(before)
