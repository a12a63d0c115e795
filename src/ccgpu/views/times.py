"""Spans of time, for people."""


def elapsed(seconds: float) -> str:
    """`0:07`, `15:40`, `2:00:00`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
