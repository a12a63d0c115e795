"""`ccgpu quota`."""

import typer

from ccgpu.cli.candidate_options import AllRegionsOption, open_spec
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, OutputArguments
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.spec_options import FreshOption, SpecArguments


@expand_options
def quota(
    ctx: typer.Context,
    *,
    request: SpecArguments,
    fresh: FreshOption = False,
    all_regions: AllRegionsOption = False,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Show the quota that a VM counts against, and how to ask for more.

    Exit codes: 0 if it suffices in one of the regions; 5 if in none.

    Example: `ccgpu quota --region eastus2`
    """
    from ccgpu.domain.quota_request import PORTALS
    from ccgpu.views import capacity as view
    from ccgpu.workflows.capacity import read_quota, require_candidate

    runtime: Runtime = ctx.obj
    cloud, spec = open_spec(runtime, request, connection, fresh=fresh)
    found = read_quota(cloud, spec, None if all_regions else spec.regions)
    portal = PORTALS[cloud.session.environment.name]
    runtime.answer(
        output,
        lambda: view.quota_as_text(found, spec.size, portal),
        lambda: view.quota_as_json(found, spec.size, portal, simulated=cloud.simulated),
    )
    require_candidate(found)
