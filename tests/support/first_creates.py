"""The create with which a test begins: carried out once in each process, then copied.

A create on an untouched subscription, from a machine without a state, depends on nothing but what
is wanted and the subscription's settings; a command line also on its environment. Those that ask
for the same get a copy of what the first left: resources, log of requests, time, files, events,
output, outcome. `CCGPU_EVERY_CASE=1` carries out each.
"""

import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccgpu.domain.events import Event
from ccgpu.fakearm import FakeArm
from ccgpu.fakearm.clock import START
from support.slow import EVERY_CASE

Files = dict[Path, tuple[int, bytes | None]]  # mode and content, or None for a folder

_UNTOUCHED = """
SELECT settings FROM world WHERE now = ? AND serial = 0
AND NOT EXISTS (SELECT 1 FROM requests) AND NOT EXISTS (SELECT 1 FROM resources)
AND NOT EXISTS (SELECT 1 FROM guest_files) AND NOT EXISTS (SELECT 1 FROM guest_facts)
"""


@dataclass(frozen=True)
class _Done:
    arm: FakeArm
    files: Files
    outcome: Any
    events: list[Event]
    reached: list[Any]  # the back ends that a command opened


_DONE: dict[str, _Done] = {}
# What differs between tests, and is asked for by none of our commands where a shell has its own.
_OWN = ("HOME", "PYTEST_CURRENT_TEST", "PWD", "OLDPWD")


def first_create(machine: Any, wanted: str, act: Callable[[], Any]) -> Any:
    """The outcome of `act`, a create of what `wanted` says; a copy of it, if that is the same."""
    settings = _settings_of_untouched(machine.arm)
    if settings is None or EVERY_CASE or machine.pool or machine.events or machine.state.exists():
        return act()
    key = f"machine {wanted} {settings}"
    if done := _DONE.get(key):
        copy_subscription(done.arm, machine.arm)
        _write_files(machine.state, done.files)
        machine.events.extend(done.events)
        return deepcopy(done.outcome)
    outcome = act()
    _keep(key, machine.arm, machine.state, deepcopy(outcome), events=list(machine.events))
    return outcome


def first_command(shell: Any, line: str, act: Callable[[], Any]) -> Any:
    """What `ccgpu LINE` has printed; a copy of it, if it is a create that was carried out before.

    The shell must be as it is made: with an SSH key at most, in an empty folder.
    """
    plain = not (shell.ask or shell.backend or shell.services or shell.log or shell.reached)
    plain = plain and not (shell.terminal or shell.pause or shell.stdin) and shell.width == 80
    plain = plain and line.startswith("create ") and not {"-h", "--help"} & {*line.split()}
    settings = _settings_of_untouched(shell.arm) if plain else None
    if settings is None or EVERY_CASE or not _is_in_empty_folder(shell):
        return act()
    environ = {k: v for k, v in os.environ.items() if k not in _OWN and not k.startswith("XDG_")}
    before = _read_files(shell.folder)
    key = f"command {line} {settings} {sorted(environ.items())} {before}"
    if done := _DONE.get(key):
        for connection in done.reached:
            shell.reach(connection)
        copy_subscription(done.arm, shell.arm)
        _write_files(shell.folder, done.files)
        shell.out.write(done.outcome.out)
        return done.outcome  # it is frozen
    result = act()
    named = str(shell.folder) in f"{line}{result}"
    if result.code == 0 and not named and _is_in_empty_folder(shell):
        _keep(key, shell.arm, shell.folder, result, reached=list(shell.reached))
    return result


def copy_subscription(arm: FakeArm, to: FakeArm) -> None:
    """Both in memory. What was in the second one goes."""
    arm._store._db.backup(to._store._db)


def _is_in_empty_folder(shell: Any) -> bool:
    """Whether the current folder is the shell's own, and the process's home is empty."""
    home, work = Path(os.environ.get("HOME", "/nowhere")), shell.folder / "work"
    try:
        return work.samefile(".") and not any((*home.iterdir(), *work.iterdir()))
    except OSError:
        return False


def _settings_of_untouched(arm: FakeArm) -> str | None:
    """The settings of the subscription; None if a create could find more than these."""
    watched = arm.faults or arm.on_commit or arm._world.inside
    row = None if watched else arm._store.row(_UNTOUCHED, START)
    return str(row[0]) if row is not None and arm._store.path == ":memory:" else None


def _keep(key: str, arm: FakeArm, folder: Path, outcome: Any, **noted: list[Any]) -> None:
    """Keep what was done, unless a file names the folder, which others have elsewhere."""
    files = _read_files(folder)
    if not any(str(folder).encode() in (content or b"") for _, content in files.values()):
        kept = FakeArm()
        copy_subscription(arm, kept)
        _DONE[key] = _Done(kept, files, outcome, **{"events": [], "reached": [], **noted})


def _write_files(folder: Path, files: Files) -> None:
    for path, (mode, content) in files.items():
        there = folder / path
        if content is None:
            there.mkdir(parents=True, exist_ok=True)
        else:
            there.write_bytes(content)
        there.chmod(mode)


def _read_files(folder: Path) -> Files:
    """What is in the folder, and the folder itself: each after what it is in."""
    return {
        path.relative_to(folder): (
            path.stat().st_mode & 0o7777,
            None if path.is_dir() else path.read_bytes(),
        )
        for path in (folder, *sorted(folder.rglob("*")))
    }
