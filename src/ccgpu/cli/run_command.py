"""`ccgpu exec --via run-command`."""

from collections.abc import Sequence

from ccgpu.cli.options import ProgressOptions, Target
from ccgpu.cli.raw_output import binary
from ccgpu.cli.runtime import ConnectionOptions, Runtime

_WARNING = (
    "NOT ATTESTED: Azure's agent runs this as root in the VM, whatever its host key or its "
    "evidence says; send no secrets this way, and believe no answer. Its standard input is empty"
)


def run_by_agent(
    runtime: Runtime,
    connection: ConnectionOptions,
    target: Target,
    command: Sequence[str],
    timeout: float | None,
) -> int:
    """Run the command, print its output, and return its exit code."""
    from ccgpu.workflows import run_command as workflow

    runtime.note(_WARNING)
    cloud = runtime.connect(connection)
    with ProgressOptions(None, None).shown(runtime) as progress:
        limit = timeout or workflow.TIMEOUT
        done = workflow.run_by_agent(
            cloud, target.name, command, target.group, timeout=limit, listen=progress
        )
    for console, data in ((runtime.out, done.stdout), (runtime.err, done.stderr)):
        stream = binary(console)
        stream.write(data)
        stream.flush()
    return done.exit_code
