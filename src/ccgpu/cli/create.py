"""`ccgpu create`."""

import typer

from ccgpu.cli.options import (
    AzureCloud,
    BackendOption,
    CloudOption,
    Events,
    EventsOption,
    NoInputOption,
    OutputOption,
    QueryOption,
    SubscriptionOption,
    TimeoutOption,
    YesOption,
    seconds,
)
from ccgpu.cli.runtime import Backend, Output, Reach, Runtime
from ccgpu.cli.spec_options import SpecRequest, option, with_spec
from typing import Annotated


@with_spec
def create(
    ctx: typer.Context,
    wanted: SpecRequest,
    replace: Annotated[
        bool, option("Delete and make anew what cannot be changed in place.", "--replace")
    ] = False,
    no_wait: Annotated[bool, option("Return when Azure has accepted the VM.", "--no-wait")] = False,
    keep_on_failure: Annotated[
        bool, option("Undo nothing when it fails.", "--keep-on-failure")
    ] = False,
    skip_preflight: Annotated[
        bool, option("Do not look at sizes and quota first.", "--skip-preflight")
    ] = False,
    dry_run: Annotated[bool, option("The same as `ccgpu plan`.", "--dry-run")] = False,
    timeout: TimeoutOption = None,
    yes: YesOption = False,
    no_input: NoInputOption = False,
    output: OutputOption = Output.TEXT,
    query: QueryOption = None,
    events: EventsOption = None,
    backend: BackendOption = Backend.AZURE,
    subscription: SubscriptionOption = None,
    cloud: CloudOption = AzureCloud.PUBLIC,
) -> None:
    """Create a confidential GPU VM, or bring one to what its spec now says.

    Run again it finds nothing to do; interrupted it goes on where it stopped.

    Example: `ccgpu create demo --region eastus2 --ssh-from 203.0.113.7/32`
    """
    from ccgpu.store import keys
    from ccgpu.views import created as view
    from ccgpu.views import plan as plan_view
    from ccgpu.views import progress
    from ccgpu.workflows import create as workflow
    from ccgpu.workflows.show import show

    run: Runtime = ctx.obj
    spec = wanted.build()
    reached = run.connect(Reach(backend, subscription, cloud.value))
    raise NotImplementedError
