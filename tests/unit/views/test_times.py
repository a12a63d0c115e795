"""Spans of time as people read them."""

import pytest

from ccgpu.views.times import remaining_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (183600, "2d 3h"),
        (172860, "2d 1m"),
        (11520, "3h 12m"),
        (7200, "2h"),
        (779, "12m"),
        (59, "under 1m"),
        (0, "expired"),
    ],
)
def test_remaining_time_has_two_units(seconds, text):
    assert remaining_text(seconds) == text
