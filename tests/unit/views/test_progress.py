"""What is told of a workflow while it works: on a terminal, in a log, to a program."""

import io
import json

import pytest
from rich.console import Console

from ccgpu.domain.catalog import Kind
from ccgpu.domain.events import Event
from ccgpu.domain.resource import ResourceId
from ccgpu.views import progress

_VM = ResourceId("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/d")
_TIME = "2026-01-01T00:00:00Z"
_NET = ResourceId("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n")


def _vm(what, at, text, action=None):
    return Event(what, at, text, _VM, Kind.VM, action)


def _net(what, at, text):
    return Event(what, at, text, _NET, Kind.VNET, "create")


_STORY = [
    Event("note", 0.0, "SSH is allowed from [red]203.0.113.7[/red]"),
    _net("begin", 0.0, f"create {_NET}"),
    _net("done", 3.0, f"create {_NET}"),
    _vm("begin", 3.0, f"create {_VM}", "create"),
    _vm("wait", 13.0, f"creating {_VM}"),
    _vm("wait", 70.0, f"creating {_VM}"),
    _vm("wait", 90.0, f"creating {_VM}"),
    Event("retry", 95.0, f"429: again in 5 s (asking after {_VM})"),
    _vm("failed", 3700.0, f"creating {_VM}: \x1b[2Jno room\nand more", "create"),
]


def _render(events, *, terminal=False, streamed=False, width=80):
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        height=30,
        force_terminal=terminal,
        color_system=None,
        highlight=False,
        _environ={},
    )
    shown = progress.Stream(console, lambda: _TIME) if streamed else progress.progress_for(console)
    with shown:
        for event in events:
            shown(event)
        shown.note("the end")
    return file.getvalue()


def test_a_log_has_a_line_per_event_and_per_minute_of_waiting():
    assert _render(_STORY).splitlines() == [
        "   0:00   SSH is allowed from [red]203.0.113.7[/red]",
        "   0:00 + virtualNetworks n: create",
        "   0:03 + virtualNetworks n: ok",
        "   0:03 + virtualMachines d: create",
        "   1:10   virtualMachines d: creating",
        "   1:35   429: again in 5 s (asking after d)",
        "1:01:40 + virtualMachines d: FAILED: creating d: \\x1b[2Jno room",
        "1:01:40   the end",
    ]


def test_log_lines_are_not_wrapped():
    assert len(_render(_STORY, width=30).splitlines()) == len(_render(_STORY).splitlines())


def test_streamed_events_are_complete():
    documents = [json.loads(line) for line in _render(_STORY, streamed=True, width=30).splitlines()]
    assert len(documents) == len(_STORY) + 1
    assert documents[4] == {
        "schema": "ccgpu.event/1",
        "what": "wait",
        "time": _TIME,
        "at": 13.0,
        "text": f"creating {_VM}",
        "id": _VM,
        "kind": "Microsoft.Compute/virtualMachines",
        "action": None,
        "stage": None,
    }
    assert documents[-1]["text"] == "the end"
    assert documents[-1]["at"] == 3700.0


def _screen(text):
    """What stands on the terminal at the end: each frame begins by going up over the last one."""
    lines: list[str] = []
    for part in text.replace("\x1b[?25l", "").replace("\x1b[?25h", "").split("\r"):
        body = part
        while body.startswith(("\x1b[2K", "\x1b[1A")):
            if body.startswith("\x1b[1A"):
                lines.pop()
            body = body[4:]
        if lines and body:
            lines.pop()
        lines += body.split("\n")
    return [line.rstrip() for line in lines if line.strip()]


def test_a_terminal_shows_a_row_per_resource_and_notes_above():
    rows = _screen(_render(_STORY, terminal=True))
    assert rows[-2].split() == ["+", "virtualNetworks", "n", "ok", "0:03"]
    assert rows[-1].startswith("+ virtualMachines d FAILED: creating d: \\x1b[2Jno room")
    assert rows[-1].endswith("1:01:37")
    assert "   0:00   SSH is allowed from [red]203.0.113.7[/red]" in rows


def test_waiting_rows_are_done_at_a_successful_end():
    events = [_vm("begin", 0.0, f"create {_VM}", "create"), _vm("wait", 60.0, "booting")]
    assert "booting" in _render(events, terminal=True)
    assert _screen(_render(events, terminal=True))[-1].split() == [
        *("+", "virtualMachines", "d", "ok", "1:00")
    ]


def test_rows_are_matched_case_insensitively():
    other = Event("done", 2.0, "x", ResourceId(_VM.upper()), Kind.VM, "create")
    told = _screen(_render([_vm("begin", 0.0, f"create {_VM}", "create"), other], terminal=True))
    assert [row.split()[-2:] for row in told if "virtualMachines" in row] == [["ok", "0:02"]]


def test_a_dumb_terminal_gets_lines():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, _environ={"TERM": "dumb"})
    assert isinstance(progress.progress_for(console), progress.Lines)


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_pauses_for_a_confirmation(terminal):
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=terminal, color_system=None, _environ={})
    with progress.progress_for(console) as shown:
        shown(_vm("begin", 0.0, f"create {_VM}", "create"))
        with shown.paused():
            hidden = file.getvalue().count("\x1b[?25l") == file.getvalue().count("\x1b[?25h")
        shown(_vm("done", 1.0, f"create {_VM}", "create"))
    assert hidden
    assert "ok" in file.getvalue()


def test_an_error_restores_the_terminal():
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system=None, _environ={})

    def fail():
        with progress.progress_for(console) as shown:
            shown(_vm("wait", 0.0, "booting"))
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    assert file.getvalue().endswith("\x1b[?25h")
    assert "booting" in _screen(file.getvalue())[-1]
