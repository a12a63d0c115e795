"""`ccgpu secret rm`."""

from typing import Annotated

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
from ccgpu.cli.secret_options import keys_of, parse_key


@expand_options
def rm(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    keys: Annotated[
        list[str],
        typer.Argument(parser=parse_key, metavar="KEY...", help="Names of secrets."),
    ],
    way: WayArguments,
    progress_options: GuestProgress,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Overwrite and delete secrets in the VM's memory.

    One that it does not hold is named, and is no error. The VM has to be attested, in its present
    boot (exit 9 if not). What a program in the VM has
    read already stays with it: revoke the secret where it came from.

    Example: `ccgpu secret rm demo hf-token`
    """
    from ccgpu.views import secrets as view
    from ccgpu.workflows.secrets import remove_secrets

    runtime: Runtime = ctx.obj
    asked = keys_of(keys)
    backend = runtime.backend(connection)
    cloud = backend.connect()
    guest = attested_guest(runtime, cloud, target, way, progress_options)
    with progress_options.shown(runtime) as progress:
        gone = remove_secrets(cloud, backend.channels, guest, asked, progress)
    shown = (target.name, asked, gone)
    runtime.answer(
        output, lambda: view.removed_as_text(*shown), lambda: view.removed_as_json(*shown)
    )
