"""`ccgpu secret list`."""

import typer

from ccgpu.cli.access_options import WayArguments
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import (
    ConnectionArguments,
    GuestProgress,
    OutputArguments,
    TargetArguments,
)
from ccgpu.cli.releasing import attested_guest
from ccgpu.cli.runtime import Runtime


@expand_options
def list_(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    way: WayArguments,
    progress_options: GuestProgress,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """List the secrets in the VM's memory: names, sizes and owners, never values.

    The VM has to be attested, in its present boot (exit 9 if not). After a reboot it holds none.

    Example: `ccgpu secret list demo -o json --query "secrets[].name"`
    """
    from ccgpu.views import secrets as view
    from ccgpu.workflows.secrets import list_secrets

    runtime: Runtime = ctx.obj
    backend = runtime.backend(connection)
    cloud = backend.connect()
    guest = attested_guest(runtime, cloud, target, way, progress_options)
    with progress_options.shown(runtime) as progress:
        found = list_secrets(cloud, backend.channels, guest, progress)
    shown = (target.name, found)
    runtime.answer(output, lambda: view.list_as_text(*shown), lambda: view.list_as_json(*shown))
