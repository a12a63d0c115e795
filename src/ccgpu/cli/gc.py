"""`ccgpu gc`."""

from typing import Annotated

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import CourseOptions, ReachOptions, WishOptions
from ccgpu.cli.runtime import Runtime


@expand_options
def gc(
    ctx: typer.Context,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Delete them. Without it they are only listed.")
    ] = False,
    course: CourseOptions,
    answer: WishOptions,
    reach: ReachOptions,
) -> None:
    """List expired deployments; delete them with --yes.

    A deployment is expired when its lease (`--ttl`, `extend`) ended more than ten minutes ago by
    Azure's clock. It is orphaned, and deleted too, when it has no VM and no lease three hours after
    it was created. Searches the whole subscription by tags, on any machine; never asks.

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
