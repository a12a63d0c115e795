"""`ccgpu plan`."""

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, OutputArguments
from ccgpu.cli.planning import HowPlanned, preview
from ccgpu.cli.spec_options import FreshOption, SpecArguments


@expand_options
def plan(
    ctx: typer.Context,
    *,
    request: SpecArguments,
    fresh: FreshOption = False,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Show what `create` would do, without doing it.

    Like `create`, it starts from the last create of NAME on this machine.

    Example: `ccgpu plan demo --region eastus2 -o json --query "resources[].id"`
    """
    preview(ctx.obj, request, output, connection, HowPlanned(fresh))
