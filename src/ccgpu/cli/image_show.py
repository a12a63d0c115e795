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
        Path, typer.Argument(metavar="FILE", help="A manifest, image.json, or a disk.")
    ],
    output: OutputArguments,
) -> None:
    """Show what is inside an image: packages, units, command line, containers.

    A disk is measured first. Its packages, units and containers are those of the image.json beside
    it, which must describe this disk. Exit codes: 0 shown; 9 the disk is damaged, or another one.

    Example: `ccgpu image show image.json`
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
