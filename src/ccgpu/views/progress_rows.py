"""The table of a running workflow on a terminal: a row for each step, with a clock that ticks.

Between events a thread of rich draws it again, so that people see that ccgpu still waits. A line is
never wider than the terminal: words are left out whole, and the sign and the time always stand.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from ccgpu.domain.action import Action
from ccgpu.domain.catalog import Kind
from ccgpu.domain.durations import UsualDuration, usual_text
from ccgpu.domain.events import Event
from ccgpu.domain.resource import ResourceId, key, name_of
from ccgpu.views.progress_groups import StepRow, group_line, group_style, rows_by_group
from ccgpu.views.progress_text import ACTIONS, ENDS, Progress, action_sign, event_text, status_text
from ccgpu.views.signs import STYLES, kind_name
from ccgpu.views.times import elapsed_text

_BOOT = "boot"  # the stage of a create whose events carry no action
_NEXT = (_BOOT, "set up", "attest", "release")  # each begins only when the one before has ended
_SPINNER = "|/-\\"
_TURNS = 4  # a second


class Rows(Progress):
    """Shows a row for each step of each resource; other events are printed above.

    clock: the time, in seconds; between events it moves the time that is shown. usual: how long
    steps usually take. ticking: whether a thread draws between events.
    """

    def __init__(
        self,
        console: Console,
        clock: Callable[[], float],
        usual: tuple[UsualDuration, ...] = (),
        *,
        ticking: bool = True,
    ) -> None:
        super().__init__(console)
        self._clock = clock
        self._usual = usual
        self._seen = clock()
        self._rows: list[StepRow] = []
        self._current: dict[ResourceId, StepRow] = {}
        self._live = Live(
            console=console,
            auto_refresh=ticking,
            refresh_per_second=_TURNS,
            redirect_stdout=False,
            redirect_stderr=False,
            get_renderable=self._drawn,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        for row in self._rows:
            if row.ended is None:
                row.ended = self.now
                row.status = ENDS["done"] if kind is None else row.status
        self._live.stop()

    def show(self, event: Event) -> None:
        """Update the row of the event's step."""
        self._seen = self._clock()
        if event.id is None:
            self.console.print(event_text(event))
            return
        row = self._row_of(event, event.id)
        row.status = status_text(event)
        row.ended = event.at if event.what in ENDS else None
        if event.what == "begin":
            row.event, row.began = event, event.at
        self._live.refresh()

    def _row_of(self, event: Event, id_: ResourceId) -> StepRow:
        """The row of the event's step; a step that goes on after another has a row of its own."""
        phase = event.action or (_BOOT if event.stage == _BOOT else None)
        before = self._current.get(key(id_))
        if before is not None and phase in (None, before.phase):
            return before
        if before is not None and before.ended is None:
            before.ended = event.at
            before.status = ENDS["done"] if phase in _NEXT else before.status
        row = StepRow(event, phase, event.at)
        self._rows.append(row)
        self._current[key(id_)] = row
        return row

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Remove the table inside the `with` block."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def _drawn(self) -> RenderableType:
        """The table as of now. The thread of rich calls this, too."""
        now = self.now + max(0.0, self._clock() - self._seen)
        rows = [*self._rows]
        if groups := rows_by_group(rows):
            return Group(*(self._group_line(one, now) for one in groups))
        return Group(*(self._line(row, now) for row in rows))

    def _group_line(self, rows: list[StepRow], now: float) -> Text:
        sign, words, seconds = group_line(rows, now, _turn(now))
        line = fit_words(sign, words, elapsed_text(seconds), self.console.width)
        return Text(line, style=group_style(rows), no_wrap=True, overflow="ignore")

    def _line(self, row: StepRow, now: float) -> Text:
        seconds = (now if row.ended is None else row.ended) - row.began
        status = row.status
        if row.ended is None:
            known = usual_text(self._usual, row.phase or "", seconds) if _is_vm(row) else None
            status = f"{_turn(now)} {status}" + (f", {known}" if known else "")
        words = [_label(row), name_of(row.event.id or ""), *status.split()]
        line = fit_words(action_sign(row.event), words, elapsed_text(seconds), self.console.width)
        return Text(line, style=_style(row), no_wrap=True, overflow="ignore")


def _turn(now: float) -> str:
    """The spinner's picture at that time."""
    return _SPINNER[int(now * _TURNS) % len(_SPINNER)]


def fit_words(sign: str, words: list[str], time: str, width: int) -> str:
    """The sign, as many whole words as fit into `width` cells, and the time at the right.

    The first word, the kind, is left out before the name, which follows it. A name that is wider
    than the line is cut: it is one word.
    """
    room = width - cell_len(sign) - cell_len(time) - 2
    label, name, *more = words
    shown = [label, name] if cell_len(f"{label} {name}") <= room else [name]
    for word in more:
        if cell_len(" ".join([*shown, word])) > room:
            shown = _with_ellipsis(shown, room)
            break
        shown.append(word)
    return f"{sign} {set_cell_size(' '.join(shown), max(room, 1))} {time}"


def _with_ellipsis(shown: list[str], room: int) -> list[str]:
    return [*shown, "…"] if cell_len(" ".join([*shown, "…"])) <= room else shown


def _is_vm(row: StepRow) -> bool:
    return row.event.kind is Kind.VM


def _label(row: StepRow) -> str:
    """The kind of the resource, or the step of a VM that is no write: `boot`, `set up`."""
    is_write = row.phase is None or row.phase in ACTIONS
    return kind_name(row.event.kind or "") if is_write else str(row.phase)


def _style(row: StepRow) -> str:
    if row.status.startswith(ENDS["failed"]):
        return "red"
    action: Action | None = ACTIONS.get(row.event.action or "")
    return "dim" if row.ended is None or action is None else STYLES[action]
