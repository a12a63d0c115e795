"""The commands as the parser has them."""

from collections.abc import Iterator
from typing import Any

import typer

from ccgpu.cli.main import app


def all_commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Each command's words and its object, groups left out."""
    group: Any = command or typer.main.get_command(app)
    context = group.make_context(path[-1] if path else "ccgpu", [], resilient_parsing=True)
    for name in group.list_commands(context):
        inner = group.get_command(context, name)
        if hasattr(inner, "list_commands"):
            yield from all_commands(inner, (*path, name))
        else:
            yield (*path, name), inner
