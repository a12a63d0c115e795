"""What the commands on workloads share that need no verdict: the way to the VM, and `--stop`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ccgpu.cli.access_options import AccessOptions, WayOptions, completing_notes
from ccgpu.cli.options import ProgressOptions, Target
from ccgpu.cli.run_options import EndingOptions, WorkloadOptions
from ccgpu.cli.runtime import ConnectionOptions, OutputOptions, Runtime
from ccgpu.errors import UsageProblem

if TYPE_CHECKING:
    from ccgpu.workflows.workloads import WorkloadsOfVm

_USUAL = ProgressOptions(None, None)
_NO_ENDING = EndingOptions(wait=False, output_dir=None, then_delete=False, replace=False)


@contextmanager
def opened_workloads(
    runtime: Runtime,
    connection: ConnectionOptions,
    target: Target,
    access: AccessOptions,
    progress_options: ProgressOptions = _USUAL,
) -> "Iterator[WorkloadsOfVm]":
    """The workloads of a VM that answers; waiting for that is shown on stderr."""
    from ccgpu.workflows.guest_access import opened_guest
    from ccgpu.workflows.workloads import workloads_of

    backend = runtime.backend(connection)
    cloud = backend.connect()
    with progress_options.shown(runtime) as progress:
        wanted = access.wanted(runtime, cloud, target)
        listen = completing_notes(progress, runtime)
        opened = opened_guest(cloud, backend.channels, wanted, listen)
    with opened as channel:
        seconds = progress_options.timeout
        yield workloads_of(cloud, target.name, target.group, channel, seconds)


def stop_workload(
    runtime: Runtime,
    connection: ConnectionOptions,
    target: Target,
    workload: str,
    given: tuple[WorkloadOptions, EndingOptions],
    way: WayOptions,
    progress_options: ProgressOptions,
    output: OutputOptions,
) -> None:
    """`run --stop W`: stop one workload, and print its last state."""
    from ccgpu.views import listed_workloads as view

    if not given[0].is_empty or given[1] != _NO_ENDING:
        raise UsageProblem("--stop runs nothing: give it alone", hint="leave out the other options")
    access = AccessOptions(way, progress_options.timeout)
    with opened_workloads(runtime, connection, target, access, progress_options) as workloads:
        stopped = workloads.stop(workload)
    parts = (target.name, stopped)
    runtime.answer(
        output, lambda: view.stopped_as_text(*parts), lambda: view.stopped_as_json(*parts)
    )
