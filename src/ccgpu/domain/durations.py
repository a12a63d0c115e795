"""How long a step of a VM usually takes: a table that is only shown, and decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCHEMA = "ccgpu.durations/1"


@dataclass(frozen=True, slots=True)
class UsualDuration:
    """The usual minutes of a phase, from `least` to `most`; shown after so many seconds of it."""

    phase: str
    after: float
    least: int
    most: int

    @property
    def text(self) -> str:
        """The range in words."""
        return f"usually {self.least}-{self.most} min"


def parse_durations(document: Mapping[str, Any]) -> tuple[UsualDuration, ...]:
    """The table that ships; `ValueError` if a step lacks its date or source, or is no range."""
    if document["schema"] != SCHEMA:
        raise ValueError(f"not {SCHEMA}")
    return tuple(_parse_step(step) for step in document["steps"])


def _parse_step(step: Mapping[str, Any]) -> UsualDuration:
    least, most = (int(minutes) for minutes in step["minutes"])
    if not (step["read_on"] and step["sources"]) or not 0 < least < most:
        raise ValueError(f"{step['phase']}: a range of minutes needs a date and a source")
    return UsualDuration(step["phase"], float(step["after_seconds"]), least, most)


def usual_text(table: tuple[UsualDuration, ...], phase: str, seconds: float) -> str | None:
    """What the table says of a phase that has taken so many seconds; None if it says nothing."""
    found = (one for one in table if one.phase == phase and seconds >= one.after)
    return next((one.text for one in found), None)
