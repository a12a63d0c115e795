"""Options on the measured image that a VM must run: `--image` and `--config`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccgpu.cli.option_groups import OptionGroup

if TYPE_CHECKING:
    from ccgpu.domain.given_image import GivenImage

_PANEL = "Verification"

ImageOption = Annotated[
    Path | None,
    typer.Option(
        "--image",
        metavar="FILE",
        help="Manifest of the measured image that the VM must run, image.json.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The config that the VM was given; without it, it must have been given none.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """The manifest and the config; the latter only with the former."""

    image: Path | None = None
    config: Path | None = None

    def load(self) -> "GivenImage | None":
        """Read them; None if no manifest is given."""
        from ccgpu.store import image_files

        return image_files.load_given(self.image, self.config)


def collect_image(image: ImageOption = None, config: ConfigOption = None) -> ImageOptions:
    """The options as one value."""
    if config is not None and image is None:
        raise typer.BadParameter(
            "--config is compared with what a measured image measured: give --image, too"
        )
    return ImageOptions(image, config)


ImageArguments = Annotated[ImageOptions, OptionGroup(collect_image)]
