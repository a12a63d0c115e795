"""Parses and formats the time to live of a deployment: `8h`, `90m`, `2d12h`.

`text(parse(t))` is the shortest spelling of the same time, and parses to the same value.
"""

import re
from datetime import timedelta

SHORTEST = timedelta(minutes=10)  # a create alone may take half an hour
LONGEST = timedelta(days=30)

_FORM = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?", re.ASCII)


def parse(value: str) -> timedelta:
    """Read days, hours and minutes, in this order."""
    match = _FORM.fullmatch(value.replace(" ", "").lower())
    if match is None or not any(match.groups()):
        raise ValueError("is not a time to live: write days, hours, minutes, as in 8h or 2d12h")
    days, hours, minutes = (int(part or 0) for part in match.groups())
    return check_limits(timedelta(days=days, hours=hours, minutes=minutes))


def check_limits(value: timedelta) -> timedelta:
    """Return `value`; ValueError if it is too short, too long, or not in whole minutes."""
    if not SHORTEST <= value <= LONGEST:
        raise ValueError(f"must be from {text(SHORTEST)} to {text(LONGEST)}")
    if value % timedelta(minutes=1):
        raise ValueError("must be in whole minutes")
    return value


def text(value: timedelta) -> str:
    """The shortest spelling: `2d12h`."""
    minutes = value // timedelta(minutes=1)
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "m"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0m"
