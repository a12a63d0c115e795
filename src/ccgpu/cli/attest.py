"""`ccgpu attest`."""

import typer

from ccgpu.cli.access_options import WayArguments
from ccgpu.cli.attesting import PolicyOption, attest_means
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import (
    ConnectionArguments,
    OutputArguments,
    ProgressArguments,
    TargetArguments,
)
from ccgpu.cli.output_files import FileArguments, write_attested
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.verify_options import VerboseOption


@expand_options
def attest(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    policy: PolicyOption = None,
    files: FileArguments,
    verbose: VerboseOption = False,
    way: WayArguments,
    progress_options: ProgressArguments,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Attest a VM: fresh evidence, judged on this machine.

    Sends a new nonce, and verifies that CPU and GPU answer it for this VM and this SSH host key. If
    they do, the host key counts as attested, and the GPU is set ready. Exit codes: 0 accepted;
    9 rejected; 8 no verdict; 10 not reachable, or the GPU does not become ready.

    Example: `ccgpu attest demo --save demo.json`
    """
    from ccgpu.views import attested as view
    from ccgpu.workflows import attest as workflow

    runtime: Runtime = ctx.obj
    files.require_new()
    backend = runtime.backend(connection)
    means, cloud = attest_means(runtime, backend, policy), backend.connect()
    wanted = way.wanted(runtime, cloud, target, progress_options.timeout or workflow.TIMEOUT)
    with progress_options.shown(runtime) as progress:
        judged = workflow.attest(cloud, backend.channels, means, wanted, progress)
    write_attested(runtime, files, judged, means)
    text = lambda: view.as_text(judged, verbose=verbose)  # noqa: E731
    runtime.answer(output, text, lambda: view.as_json(judged))
    judged.require_good()
