"""A machine over an empty subscription in memory. A fault that never fired fails its test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ccgpu.fakearm import FakeArm
from support.cloud import Machine


@pytest.fixture(params=["tags", pytest.param("no-tags", marks=pytest.mark.slow)])
def lists(request: pytest.FixtureRequest, machine: Machine) -> None:
    """Lists filtered by a tag include the tags of each resource, or only its id."""
    machine.arm.settings.set("tagless_lists", value=request.param == "no-tags")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """One machine with a state folder of its own."""
    arm = FakeArm()
    yield Machine(arm, tmp_path / "state")
    assert arm.slept == 0, "something waited without the scheduler"
    unfired = [fault for fault in arm.faults if not getattr(fault, "fired", 1)]
    assert not unfired, f"never fired: {unfired}"
    arm.close()
