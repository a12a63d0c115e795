"""`ccgpu ssh`."""

from typing import TYPE_CHECKING

import typer

from ccgpu.cli.access_options import AccessArguments
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, TargetArguments
from ccgpu.cli.runtime import Runtime

if TYPE_CHECKING:
    from ccgpu.domain.events import Event


@expand_options
def ssh(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    access: AccessArguments,
    connection: ConnectionArguments,
) -> None:
    """Open a shell in the VM.

    The VM's host key is checked: it is read from its serial console at first, and recorded. If
    another one is shown, nothing is sent and the exit code is 9.

    Example: `ccgpu ssh demo`
    """
    from ccgpu.workflows.guest_access import open_shell

    runtime: Runtime = ctx.obj

    def listen(event: "Event") -> None:
        if event.what == "wait":  # no table: ssh may ask for a passphrase at the terminal
            runtime.note(f"waiting: {event.text}")
        elif event.what == "note":
            runtime.note(f"note: {runtime.complete(event.text)}")

    backend = runtime.backend(connection)
    cloud = backend.connect()
    wanted = access.wanted(runtime, cloud, target)
    raise typer.Exit(open_shell(cloud, backend.channels, wanted, listen))
