"""Options on golden PCR values: `--pins` compares with them, `--record` writes them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.new_paths import new_path
from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.runtime import Runtime

_PANEL = "Verification"

PinsOption = Annotated[
    Path | None,
    typer.Option(
        "--pins",
        metavar="FILE",
        help="File of golden PCR values to compare with.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
RecordOption = Annotated[
    Path | None,
    new_path(
        "Write this VM's PCR values as golden values, if it is accepted: those that are equal "
        "on every VM of its image.",
        "--record",
        panel=_PANEL,
    ),
]


@dataclass(frozen=True, slots=True)
class PinsOptions:
    """The file to compare with, or the one to write; not both."""

    pins: Path | None
    record: Path | None


def collect_pins(pins: PinsOption = None, record: RecordOption = None) -> PinsOptions:
    """The options as one value."""
    if pins is not None and record is not None:
        raise typer.BadParameter("--pins and --record exclude each other")
    return PinsOptions(pins, record)


PinsArguments = Annotated[PinsOptions, OptionGroup(collect_pins)]


def note_recorded(runtime: Runtime, path: Path) -> None:
    """Say that golden values were written, and what they rest on."""
    runtime.note(f"wrote golden PCR values to {path}: this first verdict is trusted")
