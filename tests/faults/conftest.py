"""A machine and a subscription for each test. A fault that never happened fails the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ccgpu.fakearm import FakeArm
from support.cloud import Machine


@pytest.fixture(params=["tags", "no-tags"])
def lists(request: pytest.FixtureRequest, machine: Machine) -> None:
    """Lists that are filtered by a tag include the tags, or only the ids."""
    machine.arm.settings.set("tagless_lists", value=request.param == "no-tags")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """One machine over an empty subscription in memory."""
    arm = FakeArm()
    yield Machine(arm, tmp_path / "state")
    assert arm.slept == 0, "something waited behind the scheduler's back"
    unfired = [fault for fault in arm.faults if not getattr(fault, "fired", 1)]
    assert not unfired, f"never fired: {unfired}"
    arm.close()
