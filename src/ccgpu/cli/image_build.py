"""`ccgpu image build`."""

from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.new_paths import new_path
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import Events, OutputArguments, ProgressOptions, option
from ccgpu.cli.runtime import Runtime


@expand_options
def build(
    ctx: typer.Context,
    *,
    recipe: Annotated[
        Path, typer.Argument(metavar="IMAGE.yaml", help="What the image is made of.")
    ],
    out: Annotated[Path, new_path("Folder to write the image to.", "--out", metavar="DIR")],
    lock: Annotated[
        Path | None,
        new_path("Build from the packages of this lock. A missing file is written.", "--lock"),
    ] = None,
    events: Annotated[
        Events | None,
        option(
            "Stream progress to stderr, one JSON document per line.", "--events", panel="Output"
        ),
    ] = None,
    output: OutputArguments,
) -> None:
    """Build a measured image from a distribution's packages.

    Writes disk.vhd, its manifest image.json, and image.lock, which names every package by its
    SHA-256. The same recipe and lock give the same bytes. Needs root, and the programs that
    docs/measured-image-build.md names; packages are kept in the cache folder. Exit code 3: the
    recipe or the lock is wrong, or a program is missing.

    Example: `ccgpu image build image.yaml --out built --lock image.lock`
    """
    from ccgpu.scheduling.clock import RealClock
    from ccgpu.store import folders
    from ccgpu.views import image_built as view
    from ccgpu.workflows.build_image import ImageBuild

    runtime: Runtime = ctx.obj
    cache = folders.cache()
    with ProgressOptions(None, events).shown(runtime) as listen:
        built = ImageBuild(recipe, out, lock, cache, RealClock().now, listen).carry_out()
    runtime.answer(output, lambda: view.as_text(built), lambda: view.as_json(built))
