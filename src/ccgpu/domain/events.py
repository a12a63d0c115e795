"""What a workflow tells while it works: one value an event.

Workflows emit them, views show them; nothing is decided by them. `at` is seconds since the
workflow began.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import ResourceId

EventKind = Literal["begin", "wait", "done", "gone", "failed", "retry", "note"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened: to the resource `id`, or (id None) to the whole.

    `what`: begin, wait, done, gone, failed of a step; retry of a request; note for people.
    `stage`: of a create, the one that is being carried out.
    """

    what: EventKind
    at: float
    text: str
    id: ResourceId | None = None
    kind: Kind | None = None
    action: str | None = None
    stage: str | None = None


Listener = Callable[[Event], None]


def ignore_event(_: Event) -> None:
    """The listener that nobody listens to."""
