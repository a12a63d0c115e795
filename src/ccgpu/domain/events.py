"""Progress events of a workflow.

Workflows emit events and views show them; no decision depends on them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import ResourceId

EventKind = Literal["begin", "wait", "done", "gone", "failed", "retry", "note", "log"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event, of the resource `id` or (None) of the whole command.

    what: begin, wait, done, gone and failed are of a step, retry is of a request, note is for
    people, log is a line of a workload's log. at: seconds since the command began. stage: the
    current stage of a create.
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
    """A listener that does nothing."""
