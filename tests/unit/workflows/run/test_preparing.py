"""What a repeated run takes for its own workload: one that it has started in this very boot."""

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ccgpu.errors import ConnectionLost
from ccgpu.scheduling.clock import rfc3339
from ccgpu.workflows.run.preparing import find_started, prepare_files

_SECTION = {"use": "train"}


def _found(boot: str = "b", section: Any = _SECTION, started: float = 7.0) -> tuple[Any, int]:
    """The workload that is found in boot `b`, and how often the VM was asked."""
    asked: list[Any] = []
    running = SimpleNamespace(name="train", started_at=7.0)

    def ask(*words: Any) -> Any:
        asked.append(words)
        return SimpleNamespace(workloads=(running,))

    guest: Any = SimpleNamespace(boot_id="b", ask=ask)
    request: Any = SimpleNamespace(resumes=True, section=_SECTION)
    at = rfc3339(started)
    record: Any = SimpleNamespace(boot_id=boot, section=section, name="train", started_at=at)
    found = find_started(guest, request, record)
    assert found in (None, running)
    return found, len(asked)


def test_the_workload_of_this_boot_is_found():
    found, asked = _found()
    assert (found is not None, asked) == (True, 1)


@pytest.mark.parametrize(
    ("changes", "asked"),
    [({"boot": "another"}, 0), ({"section": {"use": "shell"}}, 0), ({"started": 8.0}, 1)],
    ids=["boot", "section", "start"],
)
def test_any_other_is_not(changes, asked):
    assert _found(**changes) == (None, asked)


def test_inputs_go_to_the_boot_that_was_proven_and_to_no_later_one():
    """A reboot between two copies: the next one would be made over a new connection."""
    sent: list[str] = []
    kept: list[bool] = []

    @contextmanager
    def keep():
        kept.append(True)
        yield
        kept.pop()

    def put(local: Path, _: str, *, recursive: bool) -> None:
        if sent and kept and not recursive:
            raise ConnectionLost("it has been started anew")
        sent.append(local.name)

    def ask(*_: Any) -> None:
        assert kept, "the boot is asked over the connection that is kept"

    inputs = [SimpleNamespace(local=one, mount=SimpleNamespace(source="/mnt/x")) for one in "ab"]
    task = SimpleNamespace(tell=lambda *_: None, complete=lambda work: work())
    guest: Any = SimpleNamespace(task=task, ask=ask, channel=SimpleNamespace(keep=keep, put=put))
    plan = SimpleNamespace(name="one", inputs=inputs, outputs=None)
    request: Any = SimpleNamespace(plan=plan, os_disk=False)
    with pytest.raises(ConnectionLost):
        prepare_files(guest, request)
    assert sent == ["a"]
