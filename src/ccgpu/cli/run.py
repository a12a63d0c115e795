"""`ccgpu run`."""

from typing import Annotated

import typer

from ccgpu.cli.access_options import WayArguments
from ccgpu.cli.attesting import LoosenedOption, PolicyOption
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import (
    ConnectionArguments,
    OutputArguments,
    RunProgress,
    TargetArguments,
    option,
)
from ccgpu.cli.run_options import EndingArguments, WorkloadArguments
from ccgpu.cli.running import Running
from ccgpu.cli.stopping import stop_workload


@expand_options
def run(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    workload: WorkloadArguments,
    stop: Annotated[
        str | None, option("Stop this workload, and run nothing.", "--stop", metavar="W")
    ] = None,
    ending: EndingArguments,
    dry_run: Annotated[bool, option("Show what would run; ask no VM.", "--dry-run")] = False,
    policy: PolicyOption = None,
    unsafe_allow_loosened_policy: LoosenedOption = False,
    way: WayArguments,
    progress_options: RunProgress,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Run a workload in the VM, once it is proven in this very run.

    The VM is attested anew. Only then are secrets released, inputs copied, the model fetched and
    checked file by file, and the container measured and started. A server has to be healthy, and to
    answer known questions right and fast enough; else it is stopped (exit 10). Without --workload,
    it is the one of the spec of the last create. Exit code: the job's, if --wait is given; 7 to 11
    if ccgpu itself has failed.

    Example: `ccgpu run demo --workload sglang --model Qwen/Qwen3-8B`
    """
    parts = (ctx.obj, connection, target)
    if stop is not None:
        stop_workload(*parts, stop, (workload, ending), way, progress_options, output)
        return
    policies = (policy, unsafe_allow_loosened_policy)
    running = Running(*parts, workload, ending, *policies, way, progress_options)
    if dry_run:
        running.show_plan(output)
    else:
        running.carry_out(output)
