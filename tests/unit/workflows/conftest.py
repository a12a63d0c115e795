"""A machine over an empty subscription in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ccgpu.fakearm import FakeArm
from support.cloud import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    arm = FakeArm()
    yield Machine(arm, tmp_path / "state")
    assert arm.slept == 0
    arm.close()
