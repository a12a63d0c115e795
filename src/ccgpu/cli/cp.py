"""`ccgpu cp`."""

from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.access_options import AccessArguments
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, GroupOption, Target, option
from ccgpu.cli.runtime import Runtime
from ccgpu.errors import UsageProblem


@expand_options
def cp(
    ctx: typer.Context,
    *,
    source: Annotated[
        str, typer.Argument(metavar="SRC", help="PATH here, or NAME:PATH in the VM.")
    ],
    target: Annotated[
        str, typer.Argument(metavar="DST", help="NAME:PATH in the VM, or PATH here.")
    ],
    recursive: Annotated[bool, option("Copy folders, too.", "--recursive", "-r")] = False,
    resource_group: GroupOption = None,
    access: AccessArguments,
    connection: ConnectionArguments,
) -> None:
    """Copy a file or a folder into the VM, or out of it.

    One of SRC and DST begins with the deployment's name and a colon. Permissions and times are
    kept. A path in the VM is below the home of the admin user unless it begins with `/`; a local
    path with a colon is written `./a:b`.

    Example: `ccgpu cp -r ./model demo:model`
    """
    runtime: Runtime = ctx.obj
    there, here = _split(source), _split(target)
    if (there is None) == (here is None):
        raise UsageProblem(
            "one of SRC and DST must be in a VM, and the other one here",
            hint="`ccgpu cp file demo:file` copies into the VM demo",
        )
    name, path = there or here or ("", "")
    with access.opened(runtime, connection, Target(name, resource_group)) as channel:
        if there is None:
            channel.put(Path(source), path, recursive=recursive)
        else:
            channel.get(path, Path(target), recursive=recursive)


def _split(text: str) -> tuple[str, str] | None:
    """The deployment and the path of `NAME:PATH`; None for a local path."""
    from ccgpu.domain.resource import is_deployment_name

    name, colon, path = text.partition(":")
    return (name, path or ".") if colon and is_deployment_name(name) else None
