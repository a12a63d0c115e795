"""A machine over an empty subscription in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ccgpu.fakearm import FakeArm
from support.cloud import Machine


@pytest.fixture(params=["tags", "no-tags"])
def lists(request: pytest.FixtureRequest, machine: Machine) -> None:
    """Lists that are filtered by a tag bring the tags, or only the ids."""
    machine.arm.settings.set("tagless_lists", value=request.param == "no-tags")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    arm = FakeArm()
    yield Machine(arm, tmp_path / "state")
    assert arm.slept == 0
    arm.close()
