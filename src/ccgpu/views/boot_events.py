"""The events of a boot, as text and as JSON. Names and details are the log's, escaped."""

from collections.abc import Sequence
from typing import Any

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


def as_json(events: Sequence[NamedEvent]) -> list[dict[str, Any]]:
    """The events in the order of the boot; `replayed`: the log leads to the quoted PCR."""
    return [
        {
            "pcr": event.pcr,
            "what": event.what,
            "detail": event.detail,
            "sha256": event.digest.hex(),
            "replayed": event.replayed,
        }
        for event in events
    ]
