"""What will stop working, and when, as text and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.forecast import ExpectedEnd
from ccgpu.domain.plain_text import one_line
from ccgpu.views.tables import Grid

Forecast = Sequence[ExpectedEnd]


def as_text(endings: Forecast) -> RenderableType:
    """A row for each end, by date, with its source below."""
    table = Grid()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in endings:
        on = "unknown" if one.on is None else str(one.on)
        table.add_row(Text(on), Text(one_line(f"{one.what.rstrip(',')}: {one.then}")))
        table.add_row("", Text(one_line(f"source: {one.source}"), style="dim"))
    return Group(Text("what will stop working:"), table)


def document(endings: Forecast) -> list[dict[str, Any]]:
    """The value of `forecast` in a JSON document."""
    return [
        {
            "what": one.what.rstrip(","),
            "on": None if one.on is None else str(one.on),
            "then": one.then,
            "source": one.source,
            "remedy": one.remedy,
        }
        for one in endings
    ]
