"""Until when a deployment was wanted and is, for people and for scripts."""

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ccgpu.domain.resource import ResourceId
from ccgpu.views.signs import one_line


def as_text(name: str, group: str, before: str | None, expires: str) -> RenderableType:
    """The old end and the new one."""
    old = "had none" if before is None else f"was {one_line(before)}"
    return Text(f"{name} in {group}: lease ends {expires} ({old})")


def as_json(
    name: str, group: str, before: str | None, expires: str, resources: Sequence[ResourceId]
) -> dict[str, Any]:
    """The stable form; `before` is null where there was no lease."""
    return {
        "schema": "ccgpu.extend/1",
        "name": name,
        "resource_group": group,
        "before": before,
        "expires": expires,
        "resources": list(resources),
    }
