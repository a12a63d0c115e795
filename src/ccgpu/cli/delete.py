"""`ccgpu delete`."""

from functools import partial

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
    from ccgpu.workflows.discovery.search import similar_hint

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
    if done:
        several = partial(view.each_as_json, done)
        as_json = partial(view.as_json, *done[0]) if targets.single else several
        runtime.answer(output, partial(view.each_as_text, done, targets.group), as_json)
    for name, gone, kept in done:
        if not gone and not kept and (hint := similar_hint(cloud, name)):
            progress_options.hint(runtime, hint)
    if result.failure is not None:
        raise result.failure
