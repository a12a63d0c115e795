"""`ccgpu plan`, and `create --dry-run`."""

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, OutputArguments
from ccgpu.cli.runtime import ConnectionOptions, OutputFormat, OutputOptions, Runtime
from ccgpu.cli.spec_options import FreshOption, SpecArguments, SpecRequest, connect_and_resolve


@expand_options
def plan(
    ctx: typer.Context,
    *,
    request: SpecArguments,
    fresh: FreshOption = False,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Show what `create` would do, without doing it.

    Like `create`, it starts from the last create of NAME on this machine.

    Example: `ccgpu plan demo --region eastus2 -o json --query "resources[].id"`
    """
    preview(ctx.obj, request, output, connection, fresh=fresh)


def preview(
    runtime: Runtime,
    request: SpecRequest,
    output: OutputOptions,
    connection: ConnectionOptions,
    *,
    fresh: bool,
    skip_preflight: bool = False,
) -> None:
    """Print the plan of a create."""
    from ccgpu.store.keys import Keys
    from ccgpu.views import plan as view
    from ccgpu.views.signed_in import with_sign_in
    from ccgpu.workflows import prices
    from ccgpu.workflows.create import context, planning

    cloud, wanted = connect_and_resolve(lambda: runtime.connect(connection), request, fresh=fresh)
    keys = Keys(runtime.state, wanted.spec.name, runtime.home)
    options = context.CreateOptions(keys.planned, skip_preflight=skip_preflight, given=wanted.given)
    planned = planning.preview(cloud, wanted.spec, options)
    for note in planned.notes if output == OutputOptions(OutputFormat.TEXT) else ():
        runtime.note(f"note: {note}")
    more = (planned.effective_spec.remembered, planned.warnings)
    place, needs = planned.candidate.placement, planned.candidate.needs
    parts = (planned.plan, place, needs, prices.price_of_plan(cloud.prices, planned))
    runtime.answer(
        output,
        lambda: view.as_text(*parts, simulated=cloud.simulated),
        lambda: with_sign_in(
            view.as_json(*parts, *more, simulated=cloud.simulated), cloud.session.signed_in_with
        ),
    )
