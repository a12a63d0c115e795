"""The create with which a test begins: carried out once in each process, then copied.

A create on an untouched subscription, from a machine without a state, depends on nothing but what
is wanted and the subscription's settings. Those that ask for the same get a copy of what the first
left: resources, log of requests, time, files, events, outcome. `CCGPU_EVERY_CASE=1` carries out
each.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccgpu.domain.events import Event
from ccgpu.fakearm import FakeArm
from ccgpu.fakearm.clock import START
from support.slow import EVERY_CASE

if TYPE_CHECKING:
    from support.cloud import Machine

_UNTOUCHED = """
SELECT settings FROM world WHERE now = ? AND serial = 0
AND NOT EXISTS (SELECT 1 FROM requests) AND NOT EXISTS (SELECT 1 FROM resources)
AND NOT EXISTS (SELECT 1 FROM guest_files) AND NOT EXISTS (SELECT 1 FROM guest_facts)
"""


@dataclass(frozen=True)
class _Done:
    arm: FakeArm
    files: dict[Path, tuple[int, bytes | None]]  # mode and content, or None for a folder
    events: list[Event]
    outcome: Any


_DONE: dict[str, _Done] = {}


def first_create(machine: "Machine", wanted: str, act: Callable[[], Any]) -> Any:
    """The outcome of `act`, a create of what `wanted` says; a copy of it, if that is the same."""
    settings = _settings_of_untouched(machine)
    if settings is None or EVERY_CASE:
        return act()
    key = f"{wanted} {settings}"
    if key in _DONE:
        return _copy_to(machine, _DONE[key])
    outcome = act()
    files = _read_files(machine.state)
    if not any(str(machine.state).encode() in (content or b"") for _, content in files.values()):
        kept = FakeArm()
        copy_subscription(machine.arm, kept)
        _DONE[key] = _Done(kept, files, list(machine.events), deepcopy(outcome))
    return outcome


def copy_subscription(arm: FakeArm, to: FakeArm) -> None:
    """Both in memory. What was in the second one goes."""
    arm._store._db.backup(to._store._db)


def _settings_of_untouched(machine: "Machine") -> str | None:
    """The settings of the subscription; None if a create could find more than these."""
    arm, store = machine.arm, machine.arm._store
    watched = arm.faults or arm.on_commit or machine.pool or arm._world.inside or machine.events
    if watched or store.path != ":memory:" or machine.state.exists():
        return None
    row = store.row(_UNTOUCHED, START)
    return None if row is None else str(row[0])


def _copy_to(machine: "Machine", done: _Done) -> Any:
    copy_subscription(done.arm, machine.arm)
    for path, (mode, content) in done.files.items():
        there = machine.state / path
        if content is None:
            there.mkdir(parents=True)
        else:
            there.write_bytes(content)
        there.chmod(mode)
    machine.events.extend(done.events)
    return deepcopy(done.outcome)


def _read_files(folder: Path) -> dict[Path, tuple[int, bytes | None]]:
    """What is in the folder, and the folder itself: each after what it is in."""
    return {
        path.relative_to(folder): (
            path.stat().st_mode & 0o7777,
            None if path.is_dir() else path.read_bytes(),
        )
        for path in (folder, *sorted(folder.rglob("*")))
    }
