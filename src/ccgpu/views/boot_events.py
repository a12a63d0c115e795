"""The events of a boot, as text. Names and details are the log's, escaped."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ccgpu.attest.vtpm.event_names import NamedEvent


def as_text(events: Sequence[NamedEvent]) -> RenderableType:
    """One line for each event: PCR, name, detail, the start of its digest."""
    table = Table.grid(padding=(0, 2))
    for event in events:
        said = ": ".join(filter(None, (event.what, event.detail)))
        what = Text(said if event.replayed else f"{said} (not replayed)")
        table.add_row(Text(f"  PCR {event.pcr}"), Text(event.digest.hex()[:12]), what)
    return Group(Text("the boot, as its event log tells it:"), table)
