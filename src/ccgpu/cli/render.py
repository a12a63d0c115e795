"""`ccgpu render`."""

from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.new_paths import new_path
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, option
from ccgpu.cli.rendering import RenderFormat, rendered_text
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.spec_options import FreshOption, SpecArguments


@expand_options
def render(
    ctx: typer.Context,
    *,
    request: SpecArguments,
    fresh: FreshOption = False,
    format_: Annotated[RenderFormat, option("What to render the plan as.", "--format")],
    out: Annotated[
        Path | None, new_path("Write it to a new file, not to stdout.", "--out", else_stdout=True)
    ] = None,
    connection: ConnectionArguments,
) -> None:
    """Print the plan of a spec as input of another tool.

    As an ARM template, as a shell script for `az`, or as a Terraform configuration, with the names,
    tags and bodies that `create` sends. So ccgpu lists, attests and deletes what the tool makes.
    Creates nothing.

    Example: `ccgpu render demo --format terraform --out main.tf`
    """
    from ccgpu.store import new_files

    runtime: Runtime = ctx.obj
    text = rendered_text(runtime, request, connection, format_, fresh=fresh)
    if out is None:
        runtime.out.file.write(text)
    else:
        new_files.write(out, text.encode())
