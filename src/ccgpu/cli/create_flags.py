"""The flags of `create` that are not fields of the spec."""

from dataclasses import dataclass
from typing import Annotated

import typer

from ccgpu.cli.durations import seconds
from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import option


@dataclass(frozen=True, slots=True)
class CreateFlags:
    """How a create is carried out. wait_for_capacity: in seconds; None: not at all."""

    replace: bool
    wait: bool
    keep_on_failure: bool
    skip_preflight: bool
    wait_for_capacity: float | None


def _create_flags(
    replace: Annotated[
        bool,
        option(
            "Delete and recreate what cannot be changed in place; its data is lost.", "--replace"
        ),
    ] = False,
    no_wait: Annotated[
        bool, option("Return as soon as Azure has accepted the VM.", "--no-wait")
    ] = False,
    keep_on_failure: Annotated[
        bool, option("Keep the created resources if the create fails.", "--keep-on-failure")
    ] = False,
    skip_preflight: Annotated[
        bool, option("Do not check sizes and quota first.", "--skip-preflight")
    ] = False,
    wait_for_capacity: Annotated[
        float | None,
        typer.Option(
            "--wait-for-capacity",
            parser=seconds,
            metavar="DURATION",
            help="If Azure has no room anywhere, keep trying for so long, such as 6h.",
            show_default=False,
        ),
    ] = None,
) -> CreateFlags:
    return CreateFlags(replace, not no_wait, keep_on_failure, skip_preflight, wait_for_capacity)


CreateArguments = Annotated[CreateFlags, OptionGroup(_create_flags)]
