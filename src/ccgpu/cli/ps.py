"""`ccgpu ps`."""

import typer

from ccgpu.cli.access_options import AccessArguments
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, OutputArguments, TargetArguments
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.stopping import opened_workloads


@expand_options
def ps(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    access: AccessArguments,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """List the workloads in the VM.

    It shows what the VM says, and what this machine has started there before the last reboot: a
    reboot stops every workload, and none starts again without a new verdict.

    Example: `ccgpu ps demo -o json --query "workloads[].state"`
    """
    from ccgpu.views import listed_workloads as view

    runtime: Runtime = ctx.obj
    with opened_workloads(runtime, connection, target, access) as workloads:
        found = workloads.list_all()
    parts = (target.name, found)
    runtime.answer(
        output,
        lambda: view.list_as_text(*parts, complete=runtime.complete),
        lambda: view.list_as_json(*parts),
    )
