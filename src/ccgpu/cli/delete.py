"""`ccgpu delete`."""

import typer

from ccgpu.cli.consent import ConsentArguments
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import (
    ConnectionArguments,
    DeleteProgress,
    OutputArguments,
    TargetsArguments,
)
from ccgpu.cli.runtime import Runtime


@expand_options
def delete(
    ctx: typer.Context,
    *,
    targets: TargetsArguments,
    progress_options: DeleteProgress,
    consent: ConsentArguments,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Delete everything that deployments own.

    Exits with 0 only when every resource is gone. Resources that do not belong to the deployment
    are left alone. Deleting a deployment that does not exist succeeds. Several deployments are
    deleted at the same time.

    Example: `ccgpu delete demo --yes`
    """
    from ccgpu.views import deleted as view
    from ccgpu.workflows import delete as workflow

    runtime: Runtime = ctx.obj
    cloud = runtime.connect(connection)
    doing = f"delete {', '.join(targets.names)} and {'its' if targets.single else 'their'} data"
    with progress_options.shown(runtime) as progress:
        result = workflow.delete_each(
            cloud,
            targets.names,
            targets.group,
            timeout=progress_options.timeout or workflow.TIMEOUT,
            listen=progress,
            approve=lambda ids: consent.require(runtime, progress, doing, ids),
        )
    done = [(one.name, one.gone, one.kept) for one in result.done]
    if done and not targets.single:
        runtime.answer(output, lambda: view.each_as_text(done), lambda: view.each_as_json(done))
    elif done:
        runtime.answer(output, lambda: view.as_text(*done[0]), lambda: view.as_json(*done[0]))
    if result.failure is not None:
        raise result.failure
