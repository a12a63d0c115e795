"""A simulated subscription for each test."""

from collections.abc import Iterator

import pytest

from ccgpu.fakearm import FakeArm
from ccgpu.fakeguest import guests
from support.arm import Client


@pytest.fixture
def arm() -> Iterator[FakeArm]:
    """An empty subscription in memory, with a guest in each of its VMs."""
    fake = FakeArm()
    guests.inhabit(fake)
    yield fake
    fake.close()


@pytest.fixture
def az(arm: FakeArm) -> Client:
    """A client of the subscription."""
    return Client(arm)
