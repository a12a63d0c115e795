"""`ccgpu tunnel`."""

from contextlib import ExitStack, suppress
from typing import Annotated

import typer

from ccgpu.cli.access_options import AccessArguments
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, OutputArguments, TargetArguments
from ccgpu.cli.ports import parse_ports
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.stopping import opened_workloads

_BETWEEN_CHECKS, _CHECK = 15.0, 30.0  # seconds; of the connection, which may have ended


@expand_options
def tunnel(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    ports: Annotated[
        str,
        typer.Argument(
            metavar="PORT[:LOCAL]", help="Port in the VM, or a workload's name; port here."
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

    Example: `ccgpu tunnel demo sglang:8080`
    """
    from ccgpu.views import tunnel as view

    runtime: Runtime = ctx.obj
    wanted = parse_ports(ports)
    with opened_workloads(runtime, connection, target, access) as workloads, ExitStack() as stack:
        channel, remote = workloads.guest.channel, workloads.resolve_port(wanted.remote)
        local = stack.enter_context(channel.forward(remote, wanted.local))
        with suppress(KeyboardInterrupt):
            runtime.answer(
                output,
                lambda: view.as_text(local),
                lambda: view.as_json(target.name, local, remote),
            )
            runtime.out.file.flush()
            while True:
                runtime.pause(_BETWEEN_CHECKS)
                channel.run(["true"], timeout=_CHECK)
