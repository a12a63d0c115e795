"""The drawing of the chain of trust, and the bars of validity: numbers for the page's SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ccgpu.attest.check import format_value
from ccgpu.attest.trust_chain import JudgedPart
from ccgpu.attest.validity import ValidityPeriod

WIDTH, BOX_HEIGHT = 340, 50
_STEP = 74  # from one box to the next
_INDENT = 34  # of a part that is no link of the chain itself
BAR_WIDTH = 240
_MARGIN = 12  # left and right of a bar
_TITLES = {
    "cpu": "Processor and VM",
    "gpu": "GPU",
    "manifests": "GPU firmware",
    "tokens": "Second opinions",
}
_SIGNS = {"holds": "✓", "failed": "✗", "open": "?"}


@dataclass(frozen=True, slots=True)
class DrawnPart:
    """A part with its place, its sign and its state in words."""

    judged: JudgedPart
    x: int
    y: int
    sign: str
    word: str


@dataclass(frozen=True, slots=True)
class DrawnColumn:
    """A column of the drawing, and its text alternative."""

    key: str
    title: str
    height: int
    parts: Sequence[DrawnPart]
    text: str


@dataclass(frozen=True, slots=True)
class DrawnPeriod:
    """A period with its bar. verified: the checks on it held. state: at the time of the verdict."""

    period: ValidityPeriod
    verified: bool
    state: str
    start: str
    end: str
    bar_x: float
    bar_width: float
    now_x: float


def draw_chain(chain: Sequence[JudgedPart], *, simulated: bool) -> list[DrawnColumn]:
    """The columns that have anything to show."""
    columns = []
    for key, title in _TITLES.items():
        parts = [each for each in chain if each.part.column == key]
        if key == "tokens" and all(each.state == "open" for each in parts):
            continue
        drawn = [_drawn(each, number, simulated) for number, each in enumerate(parts)]
        text = ". ".join(f"{each.judged.part.name}: {each.word}" for each in drawn)
        columns.append(DrawnColumn(key, title, len(drawn) * _STEP - 20, drawn, text))
    return columns


def state_word(state: str, *, simulated: bool) -> str:
    """The state of a part, in words."""
    if state == "holds":
        return "holds, simulated" if simulated else "holds"
    return "failed" if state == "failed" else "not judged"


def _drawn(judged: JudgedPart, number: int, simulated: bool) -> DrawnPart:
    word = state_word(judged.state, simulated=simulated)
    return DrawnPart(
        judged,
        _INDENT if judged.part.beside else 0,
        number * _STEP,
        _SIGNS[judged.state],
        word,
    )


def draw_periods(
    periods: Sequence[ValidityPeriod], chain: Sequence[JudgedPart], at: datetime
) -> list[DrawnPeriod]:
    """A bar for each period. What no good check was made on is not called verified."""
    good = {each.part.key for each in chain if each.state == "holds"}
    return list(_draw_periods(periods, good, at))


def _draw_periods(
    periods: Sequence[ValidityPeriod], good: set[str], at: datetime
) -> Iterator[DrawnPeriod]:
    for each in periods:
        end = each.end or each.start
        first, last = min(each.start, at), max(end, at)
        scale = (BAR_WIDTH - 2 * _MARGIN) / max((last - first).total_seconds(), 1.0)
        left, right, now = (
            round(_MARGIN + (time - first).total_seconds() * scale, 1)
            for time in (each.start, end, at)
        )
        yield DrawnPeriod(
            each,
            each.alone and each.part in good,
            _state(each, at),
            format_value(each.start),
            "no end" if each.end is None else format_value(each.end),
            left,
            round(max(right - left, 2.0), 1),
            now,
        )


def _state(period: ValidityPeriod, at: datetime) -> str:
    if at < period.start:
        return "not valid yet"
    if period.end is None:
        return "does not say until when"
    return "expired" if at > period.end else "valid"
