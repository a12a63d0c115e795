"""Where a measured image is published: gallery, definition, regions."""

from dataclasses import dataclass
from typing import Annotated

import typer

from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import option


@dataclass(frozen=True, slots=True)
class PublishPlace:
    """The gallery, its group, the definition, the regions, and the copies in each."""

    gallery: str
    group: str | None
    name: str | None
    regions: tuple[str, ...]
    replicas: int | None


def _place(
    gallery: Annotated[
        str, option("The gallery: its name, or its ARM id.", "--gallery", metavar="NAME|ID")
    ],
    resource_group: Annotated[
        str | None,
        option(
            "The gallery's resource group. Default: ccgpu-images.",
            *("--resource-group", "-g"),
            metavar="GROUP",
        ),
    ] = None,
    name: Annotated[
        str | None,
        option("The image definition. Default: the image's name.", "--name", metavar="DEFINITION"),
    ] = None,
    region: Annotated[
        list[str] | None,
        option(
            "Region to publish in; repeatable. Default: the gallery's.",
            "--region",
            metavar="REGION",
        ),
    ] = None,
    replicas: Annotated[
        int | None,
        typer.Option(
            "--replicas",
            min=1,
            max=100,
            metavar="NUMBER",
            help="Copies in each region, also of a version that is there: in the regions of "
            "--region, or in all of its own. Default: 1, or as they are.",
            show_default=False,
        ),
    ] = None,
) -> PublishPlace:
    return PublishPlace(gallery, resource_group, name, tuple(region or ()), replicas)


PublishArguments = Annotated[PublishPlace, OptionGroup(_place)]
