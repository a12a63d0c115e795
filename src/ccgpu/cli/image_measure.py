"""`ccgpu image measure`."""

from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import OutputArguments, option
from ccgpu.cli.runtime import Runtime


@expand_options
def measure(
    ctx: typer.Context,
    *,
    disk: Annotated[Path, typer.Argument(metavar="DISK", help="A disk, raw or fixed VHD.")],
    manifest: Annotated[
        Path | None,
        option("The manifest that it must be the disk of.", "--manifest", metavar="FILE"),
    ] = None,
    output: OutputArguments,
) -> None:
    """Measure a disk: digests and PCRs, from its bytes alone.

    Every byte of the root file system is checked against its hash tree; the EFI system partition
    must hold the boot program and nothing else. Exit codes: 0 sound, and that of the manifest; 9
    damaged, laid out otherwise, or another image; the message names what differs.

    Example: `ccgpu image measure disk.vhd --manifest image.json`
    """
    from ccgpu.views import image as view
    from ccgpu.workflows.measure_image import measure_disk

    runtime: Runtime = ctx.obj
    measured = measure_disk(disk, manifest)
    runtime.answer(
        output,
        lambda: view.measured_as_text(measured),
        lambda: view.measured_as_json(measured),
    )
    measured.require_same()
