"""The events of a boot, as text. Names and details are the log's, escaped."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.attest.vtpm.event_names import NamedEvent
from ccgpu.views.tables import Grid


def as_text(events: Sequence[NamedEvent]) -> RenderableType:
    """One line for each event: PCR, name, detail, the start of its digest."""
    table = Grid()
    for event in events:
        said = ": ".join(filter(None, (event.what, event.detail)))
        what = Text(said if event.replayed else f"{said} (not replayed)")
        table.add_row(Text(f"  PCR {event.pcr}"), Text(event.digest.hex()[:12]), what)
    return Group(Text("the boot, as its event log tells it:"), table)
