"""`ccgpu workloads`."""

from typing import Annotated

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import OutputArguments
from ccgpu.cli.runtime import Runtime


@expand_options
def workloads(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="Show this one, or that of a file.", metavar="WORKLOAD")
    ] = None,
    *,
    output: OutputArguments,
) -> None:
    """List what can run in a VM, or show the parameters of one.

    Example: `ccgpu workloads sglang`
    """
    from ccgpu.store import workload_templates
    from ccgpu.views import workloads as view

    runtime: Runtime = ctx.obj
    if name is not None:
        one = workload_templates.load(name)
        runtime.answer(output, lambda: view.one_as_text(one), lambda: view.one_as_json(one))
        return
    every = [workload_templates.load(each) for each in workload_templates.names()]
    runtime.answer(output, lambda: view.list_as_text(every), lambda: view.list_as_json(every))
