"""`ccgpu exec`."""

from enum import StrEnum
from typing import Annotated

import typer

from ccgpu.cli.access_options import AccessArguments
from ccgpu.cli.durations import seconds
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, TargetArguments, option
from ccgpu.cli.raw_output import binary
from ccgpu.cli.runtime import Runtime


class Via(StrEnum):
    """The ways into the VM."""

    SSH = "ssh"
    RUN_COMMAND = "run-command"


@expand_options
def exec_(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    command: Annotated[
        list[str],
        typer.Argument(metavar="-- CMD", help="Program, and its arguments.", show_default=False),
    ],
    timeout: Annotated[
        float | None,
        option("Time limit of the command.", "--timeout", parser=seconds, metavar="DURATION"),
    ] = None,
    via: Annotated[
        Via, option("The way in; run-command: by Azure's agent, as root, not attested.", "--via")
    ] = Via.SSH,
    access: AccessArguments,
    connection: ConnectionArguments,
) -> None:
    """Run a command in the VM, and exit with its exit code.

    Each word arrives as it is: pipes and variables need `sh -c '…'`. Input that is not a terminal
    is passed on. If the connection fails, the exit code is 9, 10 or 11, with an error on stderr.

    Example: `ccgpu exec demo -- nvidia-smi -L`
    """
    runtime: Runtime = ctx.obj
    if via is Via.RUN_COMMAND:
        from ccgpu.cli.run_command import run_by_agent

        access.refuse("--via run-command")
        raise typer.Exit(run_by_agent(runtime, connection, target, command, timeout))
    with access.opened(runtime, connection, target) as channel:
        streams = runtime.stdin(), binary(runtime.out), binary(runtime.err)
        code = channel.stream(command, *streams, timeout=timeout)
    raise typer.Exit(code)
