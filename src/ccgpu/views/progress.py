"""Displays of a running workflow's events: a table on a terminal, else lines, or NDJSON.

Each class is a listener of events. Only the table changes between events; a pipe gets nothing then.
"""

import json
from collections.abc import Callable

from rich.console import Console

from ccgpu.domain.events import Event
from ccgpu.domain.resource import ResourceId
from ccgpu.views.progress_text import Progress, event_text

__all__ = ["Lines", "Progress", "Silent", "Stream", "progress_for"]

_WAIT_SECONDS = 60.0  # the least time between two lines about waiting for one resource


def progress_for(console: Console) -> Progress:
    """A table if the console is a terminal that can redraw, else lines."""
    if not console.is_interactive or console.is_dumb_terminal:
        return Lines(console)
    from ccgpu.scheduling.clock import RealClock
    from ccgpu.store import durations
    from ccgpu.views.progress_rows import Rows

    return Rows(console, RealClock().now, durations.shipped())


class Silent(Progress):
    """Shows nothing, if stderr may have only one JSON document."""

    def __init__(self) -> None:
        super().__init__(Console(quiet=True))

    def show(self, event: Event) -> None:
        """Show nothing."""


class Stream(Progress):
    """Writes one JSON object per line; `time` returns the current time in RFC 3339."""

    def __init__(self, console: Console, time: Callable[[], str]) -> None:
        super().__init__(console)
        self._time = time

    def show(self, event: Event) -> None:
        """Write the event."""
        kind = event.kind and event.kind.value
        named = {"id": event.id, "kind": kind, "action": event.action, "stage": event.stage}
        self._write(event.what, event.text, **named)

    def end(self, outcome: str, exit_code: int, code: str | None) -> None:
        """Write the last event: outcome, exit code, and the error's code if there is one."""
        ended = {"outcome": outcome, "exit_code": exit_code, "code": code}
        self._write("end", outcome, **ended)

    def _write(self, what: str, text: str, **more: object) -> None:
        named = {"schema": "ccgpu.event/1", "what": what, "time": self._time(), "at": self.now}
        self.console.out(json.dumps({**named, "text": text, **more}), highlight=False)


class Lines(Progress):
    """Prints one line per event; at most once a minute that a resource is waited for."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._printed_at: dict[ResourceId | None, float] = {}

    def show(self, event: Event) -> None:
        """Print the event's line; skip a `wait` soon after the last line of its resource."""
        since = event.at - self._printed_at.get(event.id, -_WAIT_SECONDS)
        if event.what == "wait" and since < _WAIT_SECONDS:
            return
        self._printed_at[event.id] = event.at
        self.console.print(event_text(event), soft_wrap=True)
