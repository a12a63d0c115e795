"""Durations as messages say them: never "0 minutes", whatever is left of a time limit."""

from math import ceil


def in_words(seconds: float) -> str:
    """A duration in whole units, as in "30 seconds", "5 minutes" or "1 minute 30 seconds".

    A part of a second counts as a whole one. From ten minutes on, seconds are left out.
    """
    whole = max(1, ceil(round(seconds, 3)))
    if whole > 600:
        whole -= whole % 60
    minutes, rest = divmod(whole, 60)
    parts = [_counted(minutes, "minute")] if minutes else []
    return " ".join([*parts, _counted(rest, "second")] if rest else parts)


def as_option(seconds: float) -> str:
    """A duration as options take it, in the largest unit that it is a whole number of."""
    units = {"h": 3600, "m": 60, "s": 1}
    unit = next(name for name, length in units.items() if seconds % length == 0)
    return f"{seconds / units[unit]:.0f}{unit}"


def in_seconds(seconds: float) -> str:
    """A short duration in whole seconds, as in "7 s", and at least one."""
    return f"{max(1, round(seconds))} s"


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
