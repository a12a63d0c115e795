"""`ccgpu plan`."""

import typer

from ccgpu.cli.options import (
    AzureCloud,
    BackendOption,
    CloudOption,
    OutputOption,
    QueryOption,
    SubscriptionOption,
)
from ccgpu.cli.runtime import Backend, Output, Reach, Runtime
from ccgpu.cli.spec_options import SpecRequest, with_spec


@with_spec
def plan(
    ctx: typer.Context,
    wanted: SpecRequest,
    output: OutputOption = Output.TEXT,
    query: QueryOption = None,
    backend: BackendOption = Backend.AZURE,
    subscription: SubscriptionOption = None,
    cloud: CloudOption = AzureCloud.PUBLIC,
) -> None:
    """Show what `create` would do, and do nothing.

    Example: `ccgpu plan demo --region eastus2 -o json --query "resources[].id"`
    """
    from ccgpu.store import keys
    from ccgpu.views import plan as view
    from ccgpu.workflows import create

    run: Runtime = ctx.obj
    spec = wanted.build()
    reached = run.connect(Reach(backend, subscription, cloud.value))
    found = keys.existing(run.state, spec.name, run.home)
    options = create.Options(default_keys=lambda: found)
    outcome = create.preview(reached, spec, options)
    run.answer(output, query, lambda: view.as_text(outcome), lambda: view.as_json(outcome))
