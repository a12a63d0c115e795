"""`ccgpu fake add`: put what users bring into the simulated subscription."""

import typer

from ccgpu.cli.bundles import spread
from ccgpu.cli.options import WishOptions
from ccgpu.cli.simulation import ResourceFile, added


@spread
def add(ctx: typer.Context, *, file: ResourceFile, answer: WishOptions) -> None:
    """Add what users bring: encryption sets, networks, images, locks.

    FILE is JSON or YAML: one resource as a GET or `az resource show` tells it, a
    list, or several YAML documents. A resource group that is missing is made.

    Example: `ccgpu fake add keys.yaml`
    """
    added(ctx.obj, answer, file)
