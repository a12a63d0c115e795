"""`ccgpu logs`."""

from typing import Annotated

import typer

from ccgpu.cli.access_options import AccessArguments
from ccgpu.cli.log_following import print_workload_log
from ccgpu.cli.log_printing import print_log
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, OutputArguments, TargetArguments, option
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.stopping import opened_workloads
from ccgpu.errors import UsageProblem


@expand_options
def logs(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    serial: Annotated[bool, option("The serial console, by way of Azure.", "--serial")] = False,
    setup: Annotated[bool, option("The set-up's log, over SSH (default).", "--setup")] = False,
    workload: Annotated[
        str | None, option("What a workload has printed.", "--workload", metavar="W")
    ] = None,
    follow: Annotated[bool, option("Print what is added, until Ctrl-C.", "--follow")] = False,
    access: AccessArguments,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Print a log: the set-up's, the serial console, or a workload's.

    The console is kept by Azure, so it can be read when the VM cannot be reached; anybody who
    manages the VM can read it, too, and it proves nothing.

    Example: `ccgpu logs demo --serial`
    """
    from ccgpu.workflows import guest_logs as workflow

    runtime: Runtime = ctx.obj
    if serial + setup + (workload is not None) > 1:
        raise UsageProblem("choose one: --serial, --setup or --workload")
    if serial:
        access.refuse("--serial")
        console = workflow.SerialConsole(runtime.connect(connection), target.name, target.group)
        print_log(runtime, output, target.name, "serial", console.read, follow=follow)
        return
    if workload is not None:
        with opened_workloads(runtime, connection, target, access) as workloads:
            print_workload_log(runtime, output, workloads, workload, follow=follow)
        return
    with access.opened(runtime, connection, target) as channel:
        log = workflow.SetupLog(channel, target.name)
        print_log(runtime, output, target.name, "setup", log.read, follow=follow)
