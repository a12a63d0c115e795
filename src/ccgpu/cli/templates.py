"""`ccgpu templates`."""

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import OutputArguments
from ccgpu.cli.runtime import Runtime


@expand_options
def templates(ctx: typer.Context, *, output: OutputArguments) -> None:
    """List the spec templates that ship with ccgpu.

    Example: `ccgpu templates`, then `ccgpu init demo --template spot`
    """
    from ccgpu.store import specs
    from ccgpu.views import specs as view

    runtime: Runtime = ctx.obj
    rows = [(each.name, each.summary) for each in specs.templates()]
    runtime.answer(
        output, lambda: view.templates_as_text(rows), lambda: view.templates_as_json(rows)
    )
