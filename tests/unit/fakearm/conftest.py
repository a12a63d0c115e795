"""A simulated subscription for each test."""

from collections.abc import Iterator

import pytest

from ccgpu.fakearm import FakeArm
from support.arm import Client


@pytest.fixture
def arm() -> Iterator[FakeArm]:
    """An empty subscription in memory."""
    fake = FakeArm()
    yield fake
    fake.close()


@pytest.fixture
def az(arm: FakeArm) -> Client:
    """A client of the subscription."""
    return Client(arm)
