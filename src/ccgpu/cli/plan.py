"""`ccgpu plan`."""

from typing import Annotated

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, OutputArguments, option
from ccgpu.cli.planning import HowPlanned, preview
from ccgpu.cli.spec_options import FreshOption, SpecArguments

_CHANGES = 20  # as docs/cli.md promises; no error has it


@expand_options
def plan(
    ctx: typer.Context,
    *,
    request: SpecArguments,
    fresh: FreshOption = False,
    exit_code: Annotated[
        bool, option("Exit with 20 if `create` would change anything.", "--exit-code")
    ] = False,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Show what `create` would do, without doing it.

    Like `create`, it starts from the last create of NAME on this machine.

    Example: `ccgpu plan demo --region eastus2 -o json --query "resources[].id"`
    """
    changes = preview(ctx.obj, request, output, connection, HowPlanned(fresh))
    if changes and exit_code:
        raise typer.Exit(_CHANGES)
