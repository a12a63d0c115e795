"""`ccgpu wait`."""

from enum import StrEnum
from typing import Annotated

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import (
    ConnectionArguments,
    OutputArguments,
    PowerProgress,
    TargetArguments,
)
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.show import describe
from ccgpu.domain.status import State


class AwaitedState(StrEnum):
    """The states that a command leads to: all but leftovers, which are what a failure leaves."""

    CREATING = State.CREATING
    BOOTING = State.BOOTING
    READY = State.READY
    STOPPED = State.STOPPED
    FAILED = State.FAILED
    DELETING = State.DELETING


@expand_options
def wait(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    state: Annotated[
        AwaitedState, typer.Option("--for", help="State to wait for.", show_default=False)
    ],
    progress_options: PowerProgress,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Wait until a deployment reaches a state.

    Example: `ccgpu wait demo --for ready --timeout 45m`
    """
    from ccgpu.workflows import lifecycle as workflow

    runtime: Runtime = ctx.obj
    cloud = runtime.connect(connection)
    timeout = progress_options.timeout or workflow.TIMEOUT
    ends = cloud.now() + timeout
    with progress_options.shown(runtime) as progress:
        workflow.wait_for_state(
            cloud, target.name, State(state), target.group, timeout=timeout, listen=progress
        )
    describe(runtime, cloud, target, output, ends)
