"""`ccgpu start`, `stop` and `restart`."""

from collections.abc import Callable

import typer

from ccgpu.cli.access_options import WayArguments
from ccgpu.cli.commands import COMMANDS
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import (
    ConnectionArguments,
    OutputArguments,
    PowerProgress,
    TargetArguments,
)
from ccgpu.cli.power import Verb, change_power


def _starting(verb: Verb) -> Callable[..., None]:
    """The command that starts the VM, and waits until its guest is ready."""

    @expand_options
    def command(
        ctx: typer.Context,
        *,
        target: TargetArguments,
        way: WayArguments,
        progress_options: PowerProgress,
        output: OutputArguments,
        connection: ConnectionArguments,
    ) -> None:
        change_power(ctx.obj, verb, target, progress_options, output, connection, way)

    command.__doc__ = f"{COMMANDS[verb].help}\n\nExample: `ccgpu {verb} demo`"
    return command


@expand_options
def stop(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    progress_options: PowerProgress,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Stop and deallocate the VM; its disks and public IP still bill.

    Example: `ccgpu stop demo`
    """
    change_power(ctx.obj, "stop", target, progress_options, output, connection)


start = _starting("start")
restart = _starting("restart")
