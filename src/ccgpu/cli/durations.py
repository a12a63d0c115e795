"""Durations on the command line: `2h`, `90m`, `90s`, `1d12h`."""

import re

import typer

_FORM = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?", re.ASCII)
_SECONDS = (86400, 3600, 60, 1)


def seconds(text: str) -> float:
    """Parse a duration longer than zero into seconds."""
    match = _FORM.fullmatch(text.strip().lower())
    total = (
        sum(int(n or 0) * unit for n, unit in zip(match.groups(), _SECONDS, strict=True))
        if match
        else 0
    )
    if not total:
        raise typer.BadParameter(f"{text!r} is not a duration: write 90m, 2h or 90s")
    return float(total)
