"""Displays of a running workflow's events: a table on a terminal, else lines, or NDJSON.

Each class is a listener of events. None starts a thread, so the display changes only with an event.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ccgpu.domain.events import Event
from ccgpu.domain.plain_text import one_line
from ccgpu.domain.plan import Action
from ccgpu.domain.resource import ResourceId, key, name_of
from ccgpu.views.signs import SIGNS, STYLES, kind_name, shorten_ids
from ccgpu.views.times import elapsed_text

_ACTIONS: dict[str, Action] = {action.value: action for action in Action}
_WAIT_SECONDS = 60.0  # the least time between two lines about waiting for one resource
_ENDS = {"done": "ok", "gone": "gone", "failed": "FAILED"}


class Progress:
    """A listener of events. As a context manager it ends its display."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.now = 0.0

    def __call__(self, event: Event) -> None:
        """Show the event."""
        self.now = event.at
        self.show(event)

    def show(self, event: Event) -> None:
        """Show the event; subclasses implement this."""
        raise NotImplementedError

    def note(self, text: str) -> None:
        """Show a text that belongs to no resource."""
        self(Event("note", self.now, text))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hide the display inside the `with` block, for a question to the user."""
        yield

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """End the display; `kind` is None after success."""


def progress_for(console: Console) -> Progress:
    """A table if the console is a terminal that can redraw, else lines."""
    table = console.is_terminal and not console.is_dumb_terminal
    return Rows(console) if table else Lines(console)


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
        self.console.print(_event_text(event), soft_wrap=True)


@dataclass(slots=True)
class _Row:
    event: Event
    began: float
    status: str
    ended: float | None = None


class Rows(Progress):
    """Shows a table with a row for each resource; other events are printed above it."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._rows: dict[ResourceId, _Row] = {}
        self._live = Live(
            console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        for row in self._rows.values():
            if kind is None and row.ended is None:
                row.status, row.ended = _ENDS["done"], self.now
        self._draw()
        self._live.stop()

    def show(self, event: Event) -> None:
        """Update the resource's row."""
        if event.id is None:
            self.console.print(_event_text(event), soft_wrap=True)
            return
        row = self._rows.setdefault(key(event.id), _Row(event, event.at, ""))
        row.status = _status_text(event)
        row.ended = event.at if event.what in _ENDS else None
        if event.what == "begin":
            row.event, row.began = event, event.at
        self._draw()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Remove the table inside the `with` block."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def _draw(self) -> None:
        table = Table.grid(padding=(0, 1))
        for _ in range(3):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column(no_wrap=True, justify="right")
        for row in self._rows.values():
            event, until = row.event, self.now if row.ended is None else row.ended
            name, kind = Text(name_of(event.id or "")), kind_name(event.kind or "")
            time = elapsed_text(until - row.began)
            table.add_row(
                _action_sign(event), kind, name, Text(row.status), time, style=_row_style(row)
            )
        self._live.update(table, refresh=True)


def _event_text(event: Event) -> Text:
    where = f"{kind_name(event.kind or '')} {name_of(event.id)}: " if event.id else ""
    return Text(f"{elapsed_text(event.at):>7} {_action_sign(event)} {where}{_status_text(event)}")


def _status_text(event: Event) -> str:
    """The resource's status after the event, with the reason of a failure."""
    end = _ENDS.get(event.what)
    if event.what == "failed":
        return f"{end}: {_first_line(event)}"
    return end or _first_line(event)


def _first_line(event: Event) -> str:
    """The first line of the event's text, with names instead of ARM ids."""
    text = shorten_ids(one_line(event.text.partition("\n")[0]))
    own = f" {name_of(event.id)}" if event.id else ""
    return text.removesuffix(own) if own else text


def _action_sign(event: Event) -> str:
    action = _ACTIONS.get(event.action or "")
    return SIGNS[action] if action else " "


def _row_style(row: _Row) -> str:
    if row.status.startswith(_ENDS["failed"]):
        return "red"
    action = _ACTIONS.get(row.event.action or "")
    return "dim" if row.ended is None or action is None else STYLES[action]
