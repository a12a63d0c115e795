"""Virtual time starts at a fixed date and only moves forward."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.fakearm import FakeArm, VirtualClock


def test_time_starts_with_2026(arm):
    assert datetime.fromtimestamp(arm.now(), UTC) == datetime(2026, 1, 1, tzinfo=UTC)
    assert arm.show()["now"] == "2026-01-01T00:00:00Z"


@given(st.lists(st.floats(-100, 1e6), max_size=10))
def test_time_never_goes_back(steps):
    arm = FakeArm()
    for step in steps:
        before = arm.now()
        arm.clock.sleep(step)
        assert arm.now() == pytest.approx(before + max(0.0, step))
    arm.close()


def test_concurrent_sleeps_end_at_the_same_time(tmp_path):
    one, other = FakeArm(tmp_path / "s"), FakeArm(tmp_path / "s")
    start = one.now()
    one.clock.sleep(30)
    assert other.clock.now() == start + 30
    other.advance(10)
    assert one.clock.now() == start + 40
    one.close()
    other.close()


def test_overtaken_sleep_does_not_move_time_back(arm):
    class Overtaken(VirtualClock):
        def now(self) -> float:
            now = super().now()
            arm.clock.sleep(100)
            return now

    clock = Overtaken(arm._store)
    start = arm.now()
    clock.sleep(30)
    assert arm.now() == start + 100
