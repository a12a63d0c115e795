"""What a role allows besides the commands on its spec."""

from typing import TYPE_CHECKING, Annotated

from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import option
from ccgpu.domain.role import Rendered
from ccgpu.errors import UsageProblem

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
    make_gallery_group: Annotated[
        bool,
        option("Allow `image publish` to make that group, too.", "--make-gallery-group"),
    ] = False,
    render: Annotated[
        list[Rendered] | None,
        option(
            "Allow deploying what `render --format` prints; repeatable.",
            "--render",
            metavar="arm|az",
        ),
    ] = None,
) -> "RoleExtras":
    from ccgpu.domain.role import RoleExtras

    if make_gallery_group and gallery_group is None:
        raise UsageProblem(
            "--make-gallery-group needs the group", hint="name it: `--gallery-group GROUP`"
        )
    return RoleExtras(run_command, gallery_group, make_gallery_group, tuple(render or ()))


ExtrasArguments = Annotated["RoleExtras", OptionGroup(_extras)]
