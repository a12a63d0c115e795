"""Times to live, read and written."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain import ttl


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("8h", 480), ("90m", 90), ("2d12h", 3600), ("2D 12h 1m", 3601), ("10m", 10), ("30d", 43200)],
)
def test_days_hours_and_minutes_add_up(text, minutes):
    assert ttl.parse(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "is not a time to live"),
        ("8", "is not a time to live"),
        ("h", "is not a time to live"),
        ("8h2d", "is not a time to live"),
        ("1.5h", "is not a time to live"),
        ("٨h", "is not a time to live"),
        ("9m", "from 10m to 30d"),
        ("0h", "from 10m to 30d"),
        ("30d1m", "from 10m to 30d"),
        ("9999d", "from 10m to 30d"),
    ],
)
def test_invalid_ttls_are_refused(text, fragment):
    with pytest.raises(ValueError, match=fragment):
        ttl.parse(text)


def test_seconds_are_refused():
    with pytest.raises(ValueError, match="whole minutes"):
        ttl.check_limits(timedelta(minutes=10, seconds=1))


@given(st.integers(10, 43200))
def test_every_ttl_round_trips_through_text(minutes):
    value = timedelta(minutes=minutes)
    assert ttl.parse(ttl.text(value)) == value


def test_no_time_is_zero_minutes():
    assert ttl.text(timedelta()) == "0m"
