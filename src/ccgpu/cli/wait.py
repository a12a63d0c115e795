"""`ccgpu wait`."""

from typing import Annotated

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import CourseOptions, ReachOptions, TargetOptions, WishOptions
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.show import describe
from ccgpu.domain.status import State


@expand_options
def wait(
    ctx: typer.Context,
    *,
    target: TargetOptions,
    state: Annotated[State, typer.Option("--for", help="State to wait for.", show_default=False)],
    course: CourseOptions,
    answer: WishOptions,
    reach: ReachOptions,
) -> None:
    """Wait until a deployment reaches a state.

    Example: `ccgpu wait demo --for ready --timeout 45m`
    """
    from ccgpu.workflows import lifecycle as workflow

    run: Runtime = ctx.obj
    cloud = run.connect(reach)
    timeout = course.timeout or workflow.TIMEOUT
    with course.shown(run) as progress:
        workflow.wait_for_state(
            cloud, target.name, state, target.group, timeout=timeout, listen=progress
        )
    describe(run, cloud, target, answer)
