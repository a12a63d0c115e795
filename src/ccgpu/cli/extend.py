"""`ccgpu extend`."""

from datetime import timedelta
from typing import Annotated

import typer

from ccgpu.cli import options
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.runtime import Runtime
from ccgpu.domain import ttl as times


def _parse_ttl(text: str) -> timedelta:
    try:
        return times.parse(text)
    except ValueError as err:
        raise typer.BadParameter(f"{text!r} {err}") from err


@expand_options
def extend(
    ctx: typer.Context,
    *,
    target: options.TargetArguments,
    ttl: Annotated[
        timedelta,
        typer.Option(
            "--ttl",
            parser=_parse_ttl,
            metavar="DURATION",
            help="Time from now until the lease ends, such as 4h or 2d12h.",
            show_default=False,
        ),
    ],
    progress_options: options.ExtendProgress,
    output: options.OutputArguments,
    connection: options.ConnectionArguments,
) -> None:
    """Set when a deployment's lease ends, counted from now.

    The end is computed from Azure's clock and written as a tag on the VM, and on what remains if
    the VM is deleted. The tag deletes nothing by itself: run `ccgpu gc` to delete expired
    deployments.

    Example: `ccgpu extend demo --ttl 4h`
    """
    from ccgpu.views import extended as view
    from ccgpu.workflows import extend as workflow

    runtime: Runtime = ctx.obj
    cloud = runtime.connect(connection)
    timeout = progress_options.timeout or workflow.TIMEOUT
    with progress_options.shown(runtime) as progress:
        done = workflow.extend(
            cloud, target.name, ttl, target.group, timeout=timeout, listen=progress
        )
    parts = (done.name, done.group, done.before, done.expires, done.resources)
    runtime.answer(output, lambda: view.as_text(*parts[:4]), lambda: view.as_json(*parts))
