"""`ccgpu capacity`."""

import typer

from ccgpu.cli.candidate_options import AllRegionsOption, open_spec
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, OutputArguments
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.spec_options import FreshOption, SpecArguments


@expand_options
def capacity(
    ctx: typer.Context,
    *,
    request: SpecArguments,
    fresh: FreshOption = False,
    all_regions: AllRegionsOption = False,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Show where a VM could be created now, why not, and the price.

    Reads Azure's lists of sizes, quota and images. What offers the size is remembered for an hour.
    The best candidate comes first. Exit codes: 0 if there is one; 5 if only quota is missing; 6 if
    none can hold the VM.

    Example: `ccgpu capacity --all-regions -o json --query "candidates[?availability=='ok'].region"`
    """
    from ccgpu.views import capacity as view
    from ccgpu.workflows.capacity import priced_candidates, require_candidate

    runtime: Runtime = ctx.obj
    cloud, spec = open_spec(runtime, request, connection, fresh=fresh)
    rows = priced_candidates(cloud, spec, None if all_regions else spec.regions)
    shown = [view.PricedCandidate(*row) for row in rows]
    runtime.answer(
        output,
        lambda: view.capacity_as_text(shown),
        lambda: view.capacity_as_json(shown, spec.size, simulated=cloud.simulated),
    )
    require_candidate([row[0] for row in rows])
