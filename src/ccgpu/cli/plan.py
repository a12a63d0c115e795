"""`ccgpu plan`, and `create --dry-run`."""

import typer

from ccgpu.cli.bundles import spread
from ccgpu.cli.options import ReachOptions, WishOptions
from ccgpu.cli.runtime import Reach, Runtime, Wish
from ccgpu.cli.spec_options import SpecRequest, Wanted


@spread
def plan(ctx: typer.Context, *, wanted: Wanted, answer: WishOptions, reach: ReachOptions) -> None:
    """Show what `create` would do, and do nothing.

    Example: `ccgpu plan demo --region eastus2 -o json --query "resources[].id"`
    """
    preview(ctx.obj, wanted, answer, reach)


def preview(
    run: Runtime, wanted: SpecRequest, wish: Wish, reach: Reach, *, skip_preflight: bool = False
) -> None:
    """Answer with the plan of a create."""
    from ccgpu.store.keys import Keys
    from ccgpu.views import plan as view
    from ccgpu.workflows import create

    spec = wanted.build()
    cloud = run.connect(reach)
    keys = Keys(run.state, spec.name, run.home)
    options = create.Options(default_keys=keys.planned, skip_preflight=skip_preflight)
    found = create.preview(cloud, spec, options)
    parts = (found.plan, found.candidate.placement, found.candidate.needs)
    run.answer(
        wish,
        lambda: view.as_text(*parts, simulated=cloud.simulated),
        lambda: view.as_json(*parts, simulated=cloud.simulated),
    )
