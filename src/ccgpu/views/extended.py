"""The result of an extend, as text and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ccgpu.domain.plain_text import one_line
from ccgpu.domain.resource import ResourceId
from ccgpu.views.times import utc_time


def as_text(name: str, group: str, before: str | None, expires: str) -> RenderableType:
    """The new and the old end of the lease."""
    old = "had none" if before is None else f"was {one_line(before)}"
    return Text(f"{name} in {group}: lease ends {expires} ({old})")


def as_json(
    name: str, group: str, before: str | None, expires: str, resources: Sequence[ResourceId]
) -> dict[str, Any]:
    """The JSON document; `before` is null if the deployment had no lease."""
    return {
        "schema": "ccgpu.extend/1",
        "name": name,
        "resource_group": group,
        "before": utc_time(before),
        "expires": expires,
        "resources": list(resources),
    }
