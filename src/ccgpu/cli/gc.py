"""`ccgpu gc`."""

from typing import Annotated

import typer

from ccgpu.cli.bundles import spread
from ccgpu.cli.options import CourseOptions, ReachOptions, WishOptions
from ccgpu.cli.runtime import Runtime


@spread
def gc(
    ctx: typer.Context,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Remove it; else it is only shown.")
    ] = False,
    course: CourseOptions,
    answer: WishOptions,
    reach: ReachOptions,
) -> None:
    """Find deployments that are over, and with --yes remove them.

    Over is what its lease (`--ttl`, `extend`) ended more than ten minutes ago, by Azure's time, and
    what has no VM and no lease three hours after it was made. By tags, in the whole subscription;
    it needs nothing that this machine remembers, and never asks.

    Example: `ccgpu gc --yes -o json`
    """
    from ccgpu.views import collected as view
    from ccgpu.workflows import gc as workflow

    run: Runtime = ctx.obj
    cloud = run.connect(reach)
    timeout = course.timeout or workflow.TIMEOUT
    with course.shown(run) as progress:
        done = workflow.collect(cloud, yes=yes, timeout=timeout, listen=progress)
    again = run.complete("`ccgpu gc --yes`")
    run.answer(answer, lambda: view.as_text(done.found, again), lambda: view.as_json(done.found))
    if done.failure is not None:
        raise done.failure
