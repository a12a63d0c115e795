"""Spans of time, for people; and the times of tags, for programs."""

from ccgpu.domain.lease import parse_moment
from ccgpu.scheduling.clock import rfc3339


def utc_time(text: str | None) -> str | None:
    """A time of a tag as RFC 3339 UTC; None if there is none, or if it is no time."""
    moment = parse_moment(text)
    return None if moment is None else rfc3339(moment)


def elapsed_text(seconds: float) -> str:
    """`0:07`, `15:40`, `2:00:00`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def remaining_text(seconds: int) -> str:
    """Remaining time in its two largest units: `2d 3h`, `3h 12m`, `under 1m`, `expired`."""
    minutes = seconds // 60
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "m"))
    shown = [f"{count}{unit}" for count, unit in parts if count][:2]
    return " ".join(shown) or ("under 1m" if seconds > 0 else "expired")
