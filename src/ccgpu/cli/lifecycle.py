"""`ccgpu start`, `stop` and `restart`."""

from collections.abc import Callable
from dataclasses import astuple
from typing import Literal

import typer

from ccgpu.cli.access_options import WayArguments, WayOptions
from ccgpu.cli.commands import COMMANDS
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import (
    ConnectionArguments,
    OutputArguments,
    ProgressArguments,
    ProgressOptions,
    Target,
    TargetArguments,
)
from ccgpu.cli.runtime import ConnectionOptions, OutputOptions, Runtime
from ccgpu.cli.show import describe

Verb = Literal["start", "stop", "restart"]


def _act(
    runtime: Runtime,
    verb: Verb,
    target: Target,
    progress_options: ProgressOptions,
    output: OutputOptions,
    connection: ConnectionOptions,
    way: WayOptions | None = None,
) -> None:
    """Perform `verb`; with `way`, look into the VM; then print the deployment like `show`."""
    from ccgpu.store.keys import Keys
    from ccgpu.workflows import lifecycle as workflow
    from ccgpu.workflows.guest_access import GuestOptions

    backend = runtime.backend(connection)
    cloud, guest = backend.connect(), None
    if way is not None:
        keys = Keys(runtime.state, target.name, runtime.home)
        guest = GuestOptions(backend.channels, way.access(cloud, target.name), keys)
    timeout = progress_options.timeout or workflow.TIMEOUT
    with progress_options.shown(runtime) as progress:
        workflow.change_power_state(
            cloud, verb, *astuple(target), timeout=timeout, listen=progress, guest=guest
        )
    describe(runtime, cloud, target, output)


def _starting(verb: Verb) -> Callable[..., None]:
    """The command that starts the VM, and waits until its guest is ready."""

    @expand_options
    def command(
        ctx: typer.Context,
        *,
        target: TargetArguments,
        way: WayArguments,
        progress_options: ProgressArguments,
        output: OutputArguments,
        connection: ConnectionArguments,
    ) -> None:
        _act(ctx.obj, verb, target, progress_options, output, connection, way)

    command.__doc__ = f"{COMMANDS[verb].help}\n\nExample: `ccgpu {verb} demo`"
    return command


@expand_options
def stop(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    progress_options: ProgressArguments,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Stop and deallocate the VM; its disks and public IP still bill.

    Example: `ccgpu stop demo`
    """
    _act(ctx.obj, "stop", target, progress_options, output, connection)


start = _starting("start")
restart = _starting("restart")
