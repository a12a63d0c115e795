"""`ccgpu delete`."""

import typer

from ccgpu.cli.consent import ConsentArguments
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import (
    ConnectionArguments,
    OutputArguments,
    ProgressArguments,
    TargetArguments,
)
from ccgpu.cli.runtime import Runtime


@expand_options
def delete(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    progress_options: ProgressArguments,
    consent: ConsentArguments,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Delete everything that a deployment owns.

    Exits with 0 only when every resource is gone. Resources that do not belong to the deployment
    are left alone. Deleting a deployment that does not exist succeeds.

    Example: `ccgpu delete demo --yes`
    """
    from ccgpu.views import deleted as view
    from ccgpu.workflows import delete as workflow

    runtime: Runtime = ctx.obj
    cloud = runtime.connect(connection)
    doing = f"delete {target.name} and its data"
    with progress_options.shown(runtime) as progress:
        done = workflow.delete(
            cloud,
            target.name,
            target.group,
            timeout=progress_options.timeout or workflow.TIMEOUT,
            listen=progress,
            approve=lambda ids: consent.require(runtime, progress, doing, ids),
        )
    parts = (done.name, done.gone, done.kept)
    runtime.answer(output, lambda: view.as_text(*parts), lambda: view.as_json(*parts))
