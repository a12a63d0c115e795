"""`ccgpu tunnel`."""

from contextlib import suppress
from typing import Annotated

import typer

from ccgpu.cli.access_options import AccessArguments
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, OutputArguments, TargetArguments
from ccgpu.cli.ports import parse_ports
from ccgpu.cli.runtime import Runtime

_BETWEEN_CHECKS, _CHECK = 15.0, 30.0  # seconds; of the connection, which may have ended


@expand_options
def tunnel(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    ports: Annotated[
        str,
        typer.Argument(
            metavar="PORT[:LOCAL]", help="Port in the VM, and port here.", show_default=False
        ),
    ],
    access: AccessArguments,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Forward a local port to a port of the VM.

    Prints the local address, and runs until Ctrl-C. Both ends are on loopback: only this machine
    can use the tunnel, and the service need not listen elsewhere. Without LOCAL a free port is
    chosen.

    Example: `ccgpu tunnel demo 8000:8080`
    """
    from ccgpu.views import tunnel as view

    runtime: Runtime = ctx.obj
    remote, wanted = parse_ports(ports)
    with (
        access.opened(runtime, connection, target) as channel,
        channel.forward(remote, wanted) as local,
    ):
        runtime.answer(
            output,
            lambda: view.as_text(local),
            lambda: view.as_json(target.name, local, remote),
        )
        runtime.out.file.flush()
        with suppress(KeyboardInterrupt):
            while True:
                runtime.pause(_BETWEEN_CHECKS)
                channel.run(["true"], timeout=_CHECK)
