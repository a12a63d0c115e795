"""What a repeated run takes for its own workload: one that it has started in this very boot."""

from types import SimpleNamespace
from typing import Any

import pytest

from ccgpu.scheduling.clock import rfc3339
from ccgpu.workflows.run.preparing import find_started

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
