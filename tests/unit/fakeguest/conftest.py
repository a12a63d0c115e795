"""A simulated VM that has been set up, and channels to its inside."""

from collections.abc import Iterator

import pytest

from ccgpu.fakearm import FakeArm
from support.arm import Client
from support.simulated_guests import GuestBench, make_bench


@pytest.fixture
def az() -> Iterator[Client]:
    """A client of a subscription in memory."""
    arm = FakeArm()
    yield Client(arm)
    arm.close()


@pytest.fixture
def bench(az: Client) -> GuestBench:
    """A VM that has been set up; its host key is pinned."""
    return make_bench(az)
