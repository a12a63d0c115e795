"""A machine and a subscription for each test. A fault that never fired fails the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ccgpu.fakearm import FakeArm
from faults.attesting.trial import prepare
from support.cloud import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """One machine over an empty subscription in memory."""
    arm = FakeArm()
    yield Machine(arm, tmp_path / "state")
    assert arm.slept == 0, "something waited without the scheduler"
    unfired = [fault for fault in arm.faults if not getattr(fault, "fired", 1)]
    assert not unfired, f"never fired: {unfired}"
    arm.close()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A subscription with two VMs that are set up, and that nobody has attested."""
    return prepare(tmp_path_factory.mktemp("attesting") / "prepared")
