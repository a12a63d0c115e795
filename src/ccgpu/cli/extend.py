"""`ccgpu extend`."""

from datetime import timedelta
from typing import Annotated

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import CourseOptions, ReachOptions, TargetOptions, WishOptions
from ccgpu.cli.runtime import Runtime
from ccgpu.domain import ttl as times


def _ttl(text: str) -> timedelta:
    try:
        return times.parse(text)
    except ValueError as err:
        raise typer.BadParameter(f"{text!r} {err}") from err


@expand_options
def extend(
    ctx: typer.Context,
    *,
    target: TargetOptions,
    ttl: Annotated[
        timedelta,
        typer.Option(
            "--ttl",
            parser=_ttl,
            metavar="DURATION",
            help="Time from now until the lease ends, such as 4h or 2d12h.",
            show_default=False,
        ),
    ],
    course: CourseOptions,
    answer: WishOptions,
    reach: ReachOptions,
) -> None:
    """Set when a deployment's lease ends, counted from now.

    The end is computed from Azure's clock and written as a tag on every resource of the deployment.
    The tag deletes nothing by itself: run `ccgpu gc` to delete expired deployments.

    Example: `ccgpu extend demo --ttl 4h`
    """
    from ccgpu.views import extended as view
    from ccgpu.workflows import extend as workflow

    run: Runtime = ctx.obj
    cloud = run.connect(reach)
    timeout = course.timeout or workflow.TIMEOUT
    with course.shown(run) as progress:
        done = workflow.extend(
            cloud, target.name, ttl, target.group, timeout=timeout, listen=progress
        )
    parts = (done.name, done.group, done.before, done.expires, done.resources)
    run.answer(answer, lambda: view.as_text(*parts[:4]), lambda: view.as_json(*parts))
