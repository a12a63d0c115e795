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
    replicas: int


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
        int,
        typer.Option("--replicas", min=1, max=100, metavar="NUMBER", help="Copies in each region."),
    ] = 1,
) -> PublishPlace:
    return PublishPlace(gallery, resource_group, name, tuple(region or ()), replicas)


PublishArguments = Annotated[PublishPlace, OptionGroup(_place)]
