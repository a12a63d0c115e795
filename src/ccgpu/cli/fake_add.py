"""`ccgpu fake add`: adds resources from a file to the simulated subscription."""

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import OutputArguments
from ccgpu.cli.simulation import ResourceFile, added


@expand_options
def add(ctx: typer.Context, *, file: ResourceFile, output: OutputArguments) -> None:
    """Add existing resources: encryption sets, networks, images, locks.

    FILE is JSON or YAML: one resource as `az resource show` prints it, a list, or
    several YAML documents. Missing resource groups are created.

    Example: `ccgpu fake add keys.yaml`
    """
    added(ctx.obj, output, file)
