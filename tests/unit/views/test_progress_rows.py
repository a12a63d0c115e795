"""The table on a terminal: it lives between events, and no width breaks it."""

import io
import os
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from ccgpu.cli.console import console
from ccgpu.domain.catalog import Kind
from ccgpu.domain.durations import parse_durations
from ccgpu.domain.events import Event
from ccgpu.domain.resource import ResourceId
from ccgpu.scheduling.clock import RealClock
from ccgpu.store import durations
from ccgpu.views.progress import Lines, progress_for
from ccgpu.views.progress_rows import Rows, fit_words

_VM = ResourceId("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/d")
_BEGIN = Event("begin", 0.0, f"create {_VM}", _VM, Kind.VM, "create", "provision")
_WAIT = Event("wait", 10.0, f"creating {_VM}", _VM, Kind.VM, None, "provision")
_DONE = Event("done", 44.0, f"create {_VM}", _VM, Kind.VM, "create", "provision")
_BOOTING = Event("wait", 44.0, "booting", _VM, Kind.VM, None, "boot")
_SET_UP = Event("begin", 84.0, "set up", _VM, Kind.VM, "set up", "set up")


@dataclass
class _Screen:
    """A terminal, and a clock that stands unless it is moved."""

    width: int = 80
    time: float = 0.0
    ticking: bool = False

    def __post_init__(self) -> None:
        self.file = io.StringIO()
        self.console = Console(
            file=self.file, width=self.width, force_terminal=True, color_system=None, _environ={}
        )
        self.rows = Rows(self.console, lambda: self.time, durations.shipped(), ticking=self.ticking)

    def lines(self) -> list[str]:
        """What the table shows now."""
        with self.console.capture() as captured:
            self.console.print(self.rows._drawn())
        return captured.get().splitlines()


def test_the_clock_ticks_and_the_spinner_turns_between_events():
    screen = _Screen()
    screen.rows(_BEGIN)
    screen.rows(_WAIT)
    seen = []
    for _ in range(4):
        seen.append(screen.lines()[0])
        screen.time += 1.25
    assert [line.split()[-1] for line in seen] == ["0:10", "0:11", "0:12", "0:13"]
    assert len({line.split()[3] for line in seen}) == 4


def test_a_row_that_has_ended_stands_still():
    screen = _Screen()
    screen.rows(_BEGIN)
    screen.rows(_DONE)
    screen.time += 1000
    assert screen.lines()[0].split() == ["+", "virtualMachines", "d", "ok", "0:44"]


def test_a_thread_draws_between_events_and_ends_with_the_table():
    screen = _Screen(ticking=True)
    with screen.rows:
        screen.rows(_BEGIN)
        before = len(screen.file.getvalue())
        clock = RealClock()
        until = clock.now() + 10
        while len(screen.file.getvalue()) == before and clock.now() < until:
            clock.sleep(0.02)
        assert len(screen.file.getvalue()) > before
    after = screen.file.getvalue()
    clock.sleep(0.3)
    assert screen.file.getvalue() == after


def test_a_pipe_gets_no_table():
    assert isinstance(progress_for(Console(file=io.StringIO(), _environ={})), Lines)


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_a_pipe_that_may_have_colours_gets_no_table(monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    with os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8") as pipe:
        coloured = console(pipe)
        assert coloured.is_terminal
        assert isinstance(progress_for(coloured), Lines)


def test_boot_and_set_up_have_rows_of_their_own():
    screen = _Screen()
    for event in (_BEGIN, _WAIT, _DONE, _BOOTING, _SET_UP):
        screen.rows(event)
    assert [line.split()[:4] for line in screen.lines()] == [
        ["+", "virtualMachines", "d", "ok"],
        ["boot", "d", "ok", "0:40"],
        ["set", "up", "d", screen.lines()[2].split()[3]],
    ]


def test_a_boot_that_is_rolled_back_is_not_shown_as_ok():
    screen = _Screen()
    gone = Event("gone", 700.0, f"delete {_VM}", _VM, Kind.VM, "delete", "boot")
    for event in (_BEGIN, _DONE, _BOOTING, replace(gone, what="begin", at=650.0), gone):
        screen.rows(event)
    lines = [line.split() for line in screen.lines()]
    assert lines[1][:3] == ["boot", "d", "booting"]
    assert lines[2] == ["-", "virtualMachines", "d", "gone", "0:50"]


def test_the_usual_duration_stands_beside_a_long_create_alone():
    screen = _Screen(width=100)
    screen.rows(_BEGIN)
    assert "usually" not in screen.lines()[0]
    screen.time += 61
    assert "usually 15-20 min" in screen.lines()[0]
    screen.rows(_DONE)
    assert "usually" not in screen.lines()[0]


def test_at_40_columns_the_sign_the_name_and_whole_words_stand():
    screen = _Screen(width=40)
    for event in (_BEGIN, replace(_WAIT, text="creating the virtual machine with its disks")):
        screen.rows(event)
    (line,) = screen.lines()
    assert line.startswith("+ virtualMachines d ")
    assert line.endswith(" 0:10")
    assert cell_len(line) <= 40
    words = {"+", "virtualMachines", "d", "creating", "the", "virtual", "…", "0:10"}
    assert set(line.split()) <= words | set("|/-\\")


def test_a_note_is_wrapped_between_words():
    screen = _Screen(width=40)
    text = "SSH is allowed from 203.0.113.7/32, where you signed in from"
    with screen.rows:
        screen.rows(Event("note", 0.0, text))
    shown = screen.file.getvalue().replace("\x1b[?25l", "").replace("\x1b[?25h", "")
    assert set(text.split()) <= set(shown.split())
    assert all(len(line) <= 40 for line in shown.split("\n"))


_WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=14)


@pytest.mark.slow
@given(st.sampled_from("+~- ±"), st.lists(_WORD, min_size=2, max_size=9), st.integers(30, 120))
def test_no_line_is_wider_than_the_terminal_or_has_a_part_of_a_word(sign, words, width):
    line = fit_words(sign, words, "1:02:03", width)
    assert cell_len(line) <= width
    assert line.startswith(f"{sign} ")
    assert line.endswith(" 1:02:03")
    shown = line[2 : -len(" 1:02:03")].split()
    assert set(shown) <= {*words, "…"}
    assert words[1] in shown


def test_a_name_wider_than_the_terminal_is_cut_and_the_time_stands():
    line = fit_words("+", ["virtualMachines", "n" * 60, "ok"], "0:44", 40)
    assert (cell_len(line), line[:3], line[-5:]) == (40, "+ n", " 0:44")


def test_the_shipped_table_has_dates_and_sources():
    assert [one.text for one in durations.shipped()] == ["usually 15-20 min"]
    step = {"phase": "x", "after_seconds": 1, "minutes": [1, 2], "read_on": "", "sources": ["x"]}
    for wrong in (step, step | {"read_on": "x", "minutes": [3, 2]}):
        with pytest.raises(ValueError, match="needs a date and a source"):
            parse_durations({"schema": "ccgpu.durations/1", "steps": [wrong]})
    with pytest.raises(ValueError, match="not ccgpu"):
        parse_durations({"schema": "x", "steps": []})
