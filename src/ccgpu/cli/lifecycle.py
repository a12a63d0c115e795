"""`ccgpu start`, `stop` and `restart`."""

from collections.abc import Callable
from dataclasses import astuple
from typing import Literal

import typer

from ccgpu.cli.commands import COMMANDS
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import (
    ConnectionArguments,
    OutputArguments,
    ProgressArguments,
    TargetArguments,
)
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.show import describe

Verb = Literal["start", "stop", "restart"]


def acting(verb: Verb) -> Callable[..., None]:
    """The command that performs `verb`, and prints the deployment like `show`."""

    @expand_options
    def command(
        ctx: typer.Context,
        *,
        target: TargetArguments,
        progress_options: ProgressArguments,
        output: OutputArguments,
        connection: ConnectionArguments,
    ) -> None:
        from ccgpu.workflows import lifecycle as workflow

        runtime: Runtime = ctx.obj
        cloud = runtime.connect(connection)
        timeout = progress_options.timeout or workflow.TIMEOUT
        with progress_options.shown(runtime) as progress:
            workflow.change_power_state(
                cloud, verb, *astuple(target), timeout=timeout, listen=progress
            )
        describe(runtime, cloud, target, output)

    command.__doc__ = f"{COMMANDS[verb].help}\n\nExample: `ccgpu {verb} demo`"
    return command


start = acting("start")
stop = acting("stop")
restart = acting("restart")
