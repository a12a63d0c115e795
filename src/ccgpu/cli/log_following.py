"""`ccgpu logs NAME --workload W`: the log of a container, or each line as it comes."""

from contextlib import suppress
from typing import TYPE_CHECKING

from ccgpu.cli.runtime import OutputOptions, Runtime
from ccgpu.errors import UsageProblem

if TYPE_CHECKING:
    from ccgpu.workflows.workloads import WorkloadsOfVm

_PAUSE = 2.0  # seconds between two connections to a log that goes on


def print_workload_log(
    runtime: Runtime,
    output: OutputOptions,
    workloads: "WorkloadsOfVm",
    workload: str,
    *,
    follow: bool,
) -> None:
    """Print a workload's log on stdout: what there is, or until it has ended or Ctrl-C."""
    from ccgpu.views import guest_logs as view

    if follow and output != OutputOptions():
        raise UsageProblem("--follow prints text only: leave out --output and --query")
    lines: list[str] = []
    if not follow:
        workloads.log_of(workload, lines.append).read(until_end=False)
        log = "".join(f"{line}\n" for line in lines)
        name = workloads.name
        if output == OutputOptions():
            runtime.out.out(view.as_text(log), highlight=False)
            return
        document = view.as_json(name, "workload", log, workload)
        runtime.answer(output, lambda: view.as_text(log), lambda: document)
        return

    def print_line(line: str) -> None:
        runtime.out.out(view.as_text(line), highlight=False)
        runtime.out.file.flush()

    follower = workloads.log_of(workload, print_line)
    with suppress(KeyboardInterrupt):
        while not follower.read(until_end=True).has_ended:
            runtime.pause(_PAUSE)
