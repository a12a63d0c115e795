"""Durations and times on the command line: `2h`, `90m`, `90s`, `1d12h`; `2026-12-31`."""

import re
from datetime import UTC, datetime

import typer

from ccgpu.domain.moments import in_utc

_FORM = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?", re.ASCII)
_ANY_LENGTH = re.compile(r"(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?", re.ASCII)
_SECONDS = (86400, 3600, 60, 1)


def seconds(text: str) -> float:
    """Parse a duration longer than zero into seconds."""
    written = text.strip().lower()
    match = _FORM.fullmatch(written)
    if match is None and _ANY_LENGTH.fullmatch(written):
        raise typer.BadParameter(f"{text!r} is too long: write at most 9999d")
    if match is None or not written:
        raise typer.BadParameter(f"{text!r} is not a duration: write 90m, 2h or 90s")
    total = sum(int(n or 0) * unit for n, unit in zip(match.groups(), _SECONDS, strict=True))
    if not total:
        raise typer.BadParameter(f"{text!r} is no time at all: write 90m, 2h or 90s")
    return float(total)


def moment_of(text: str) -> datetime:
    """A day or time of an option; UTC if it names no zone."""
    try:
        moment = datetime.fromisoformat(text)
        return in_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except ValueError as err:
        raise typer.BadParameter(f"{text!r} is not a time: write 2026-12-31") from err
