"""`ccgpu image show`."""

from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import OutputArguments
from ccgpu.cli.runtime import Runtime


@expand_options
def show(
    ctx: typer.Context,
    *,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A manifest (- for stdin), or a disk."),
    ],
    output: OutputArguments,
) -> None:
    """Show what is inside an image: packages, units, command line, containers.

    Of a manifest, these are the builder's word. A disk is measured, and its root file system is
    read: dpkg's status file, the links of units, the container store. What the image.json beside it
    states otherwise is named. Exit codes: 0 shown; 3 `fsck.erofs` is missing; 9 the disk is
    damaged, or another one, or lists something else.

    Example: `ccgpu image show disk.vhd`
    """
    from ccgpu.views import image as view
    from ccgpu.workflows.measure_image import look_inside

    runtime: Runtime = ctx.obj
    shown = look_inside(file)
    runtime.answer(
        output,
        lambda: view.inside_as_text(shown),
        lambda: view.inside_as_json(shown),
    )
