"""Durations on the command line."""

import re

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.cli.durations import seconds
from ccgpu.scheduling.durations import as_option
from ccgpu.workflows import delete as deleting
from ccgpu.workflows import lifecycle as power
from ccgpu.workflows.key_vault import creation as keys
from ccgpu.workflows.publish import context as publishing
from support.parsed import all_commands


@pytest.mark.parametrize(
    ("text", "found"),
    [("90m", 5400), ("2h", 7200), ("90s", 90), ("1d12h", 129600), (" 1H30M5S ", 5405)],
)
def test_durations_add_their_units(text, found):
    assert seconds(text) == found


@given(st.integers(1, 10**6))
def test_a_default_in_the_help_is_a_duration_that_is_taken(number):
    assert seconds(as_option(number)) == number


_DEFAULTS = {
    "image publish": publishing.TIMEOUT,
    "delete": deleting.TIMEOUT,
    "keyvault create-key": keys.TIMEOUT,
    "wait": power.TIMEOUT,
}


def test_every_time_limit_says_its_default_in_the_help():
    """exec has none: its time limit is the command's."""
    found: dict[str, str] = {}
    for path, command in all_commands():
        for one in command.params:
            if "--timeout" in one.opts and path != ("exec",):
                told = re.search(r" Default: ([0-9]+[hms])", one.help)
                found[" ".join(path)] = told[1] if told else ""
    assert len(found) > 14
    assert [name for name, told in found.items() if not told] == []
    assert {name: seconds(found[name]) for name in _DEFAULTS} == _DEFAULTS


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
