"""Durations on the command line."""

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.cli.durations import seconds


@pytest.mark.parametrize(
    ("text", "found"),
    [("90m", 5400), ("2h", 7200), ("90s", 90), ("1d12h", 129600), (" 1H30M5S ", 5405)],
)
def test_durations_add_their_units(text, found):
    assert seconds(text) == found


@given(st.integers(1, 10**6))
def test_plain_numbers_are_seconds(number):
    assert seconds(f"{number}s") == number


@pytest.mark.parametrize("text", ["", " ", "5", "-5m", "1.5h", "5m1h", "5w", "٣m"])
def test_other_durations_are_refused(text):
    with pytest.raises(typer.BadParameter, match="is not a duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("0h", "no time"),
        ("0d0h0m0s", "no time"),
        ("10000d", "too long"),
        ("9" * 9 + "s", "too long"),
    ],
)
def test_a_duration_of_no_use_is_not_said_to_be_none(text, wrong):
    with pytest.raises(typer.BadParameter, match=wrong):
        seconds(text)
