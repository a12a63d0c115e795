"""`ccgpu gc`."""

from typing import Annotated

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, GcProgress, OutputArguments
from ccgpu.cli.runtime import Runtime


@expand_options
def gc(
    ctx: typer.Context,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Delete them. Without it they are only listed.")
    ] = False,
    progress_options: GcProgress,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """List expired deployments; delete them with --yes.

    A deployment is expired when its lease (`--ttl`, `extend`) ended more than ten minutes ago by
    Azure's clock. It is orphaned, and deleted too, when it has no VM and no lease three hours after
    it was created. Searches the whole subscription by tags, on any machine; never asks.

    Example: `ccgpu gc --yes -o json`
    """
    from ccgpu.views import collected as view
    from ccgpu.workflows import gc as workflow

    runtime: Runtime = ctx.obj
    cloud = runtime.connect(connection)
    timeout = progress_options.timeout or workflow.TIMEOUT
    with progress_options.shown(runtime) as progress:
        done = workflow.collect(cloud, yes=yes, timeout=timeout, listen=progress)
    again = runtime.complete("`ccgpu gc --yes`")
    if done.found or done.interrupted is None:  # it does not say that nothing has expired
        runtime.answer(
            output, lambda: view.as_text(done.found, again), lambda: view.as_json(done.found)
        )
    if done.failure is not None:
        raise done.failure
