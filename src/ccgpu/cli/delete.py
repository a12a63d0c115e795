"""`ccgpu delete`."""

import typer

from ccgpu.cli.consent import ConsentOptions
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import CourseOptions, ReachOptions, TargetOptions, WishOptions
from ccgpu.cli.runtime import Runtime


@expand_options
def delete(
    ctx: typer.Context,
    *,
    target: TargetOptions,
    course: CourseOptions,
    consent: ConsentOptions,
    answer: WishOptions,
    reach: ReachOptions,
) -> None:
    """Delete everything that a deployment owns.

    Exits with 0 only when every resource is gone. Resources that do not belong to the deployment
    are left alone. Deleting a deployment that does not exist succeeds.

    Example: `ccgpu delete demo --yes`
    """
    from ccgpu.views import deleted as view
    from ccgpu.workflows import delete as workflow

    run: Runtime = ctx.obj
    cloud = run.connect(reach)
    doing = f"delete {target.name} and its data"
    with course.shown(run) as progress:
        done = workflow.delete(
            cloud,
            target.name,
            target.group,
            timeout=course.timeout or workflow.TIMEOUT,
            listen=progress,
            approve=lambda ids: consent.require(run, progress, doing, ids),
        )
    parts = (done.name, done.gone, done.kept)
    run.answer(answer, lambda: view.as_text(*parts), lambda: view.as_json(*parts))
