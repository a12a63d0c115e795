"""What all displays of a running workflow share: their base, and an event as a line of text."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from ccgpu.domain.action import Action
from ccgpu.domain.events import Event
from ccgpu.domain.plain_text import one_line
from ccgpu.domain.resource import name_of
from ccgpu.views.signs import SIGNS, kind_name, shorten_ids
from ccgpu.views.times import elapsed_text

ACTIONS: dict[str, Action] = {action.value: action for action in Action}
ENDS = {"done": "ok", "gone": "gone", "failed": "FAILED"}


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


def event_text(event: Event) -> Text:
    """The event as a line: its time, its sign, the resource and its status."""
    where = f"{kind_name(event.kind or '')} {name_of(event.id)}: " if event.id else ""
    return Text(f"{elapsed_text(event.at):>7} {action_sign(event)} {where}{status_text(event)}")


def status_text(event: Event) -> str:
    """The resource's status after the event, with the reason of a failure."""
    end = ENDS.get(event.what)
    if event.what == "failed":
        return f"{end}: {_first_line(event)}"
    return end or _first_line(event)


def _first_line(event: Event) -> str:
    """The first line of the event's text, with names instead of ARM ids."""
    text = shorten_ids(one_line(event.text.partition("\n")[0]))
    own = f" {name_of(event.id)}" if event.id else ""
    return text.removesuffix(own) if own else text


def action_sign(event: Event) -> str:
    """The sign of the event's action; a space if it has none."""
    action = ACTIONS.get(event.action or "")
    return SIGNS[action] if action else " "
