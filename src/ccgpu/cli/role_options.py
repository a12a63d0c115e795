"""What a role allows besides the commands on its spec."""

from typing import TYPE_CHECKING, Annotated

from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import option

if TYPE_CHECKING:
    from ccgpu.domain.role import RoleExtras


def _extras(
    run_command: Annotated[
        bool, option("Allow `exec --via run-command`: root in each VM there.", "--run-command")
    ] = False,
    gallery_group: Annotated[
        str | None,
        option(
            "Allow `image publish` to galleries of this group.", "--gallery-group", metavar="GROUP"
        ),
    ] = None,
) -> "RoleExtras":
    from ccgpu.domain.role import RoleExtras

    return RoleExtras(run_command, gallery_group)


ExtrasArguments = Annotated["RoleExtras", OptionGroup(_extras)]
