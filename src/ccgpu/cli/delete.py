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
    are left alone. Deleting a deployment that does not exist succeeds. Several are deleted at once.

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
        single = partial(view.as_json, *done[0]) if targets.single else None
        text = partial(view.each_as_text, done, targets.group)
        runtime.answer(output, text, single or partial(view.each_as_json, done))
    absent = (name for name, gone, kept in done if not gone and not kept)
    for hint in filter(None, map(partial(similar_hint, cloud), absent)):
        progress_options.hint(runtime, hint)
    if result.failure is not None:
        raise result.failure
