"""The plan of a create, for `ccgpu plan` and `create --dry-run`."""

from dataclasses import dataclass
from typing import Any

from ccgpu.cli.access_options import UNKNOWN_WAY, WayOptions
from ccgpu.cli.runtime import ConnectionOptions, OutputOptions, Runtime
from ccgpu.cli.spec_options import SpecRequest, connect_and_resolve


@dataclass(frozen=True, slots=True)
class HowPlanned:
    """The options of the create that is planned. attested: whether it attests the VM at its end."""

    fresh: bool
    skip_preflight: bool = False
    way: WayOptions = UNKNOWN_WAY
    attested: bool = True


def preview(
    runtime: Runtime,
    request: SpecRequest,
    output: OutputOptions,
    connection: ConnectionOptions,
    how: HowPlanned,
) -> bool:
    """Print the plan of a create; returns whether it changes anything."""
    from ccgpu.store.keys import Keys
    from ccgpu.views import plan as view
    from ccgpu.views.signed_in import with_sign_in
    from ccgpu.workflows import prices
    from ccgpu.workflows.create import planning
    from ccgpu.workflows.create.context import CreateOptions

    cloud, wanted = connect_and_resolve(
        lambda: runtime.connect(connection), request, fresh=how.fresh
    )
    keys = Keys(runtime.state, wanted.spec.name, runtime.home)
    options = CreateOptions(keys.planned, skip_preflight=how.skip_preflight, given=wanted.given)
    access = how.way.access(cloud, wanted.spec.name) if how.attested else None
    planned, expected = planning.preview_with_forecast(cloud, wanted.spec, options, access)
    for note in planned.notes if output.is_text else ():
        runtime.note(f"note: {note}")
    more = (planned.effective_spec.remembered, planned.warnings)
    place, needs = planned.candidate.placement, planned.candidate.needs
    parts = (planned.plan, place, needs, prices.price_of_plan(cloud.prices, planned))
    shown: dict[str, Any] = {"expected": expected, "simulated": cloud.simulated}
    runtime.answer(
        output,
        lambda: view.as_text(*parts, **shown),
        lambda: with_sign_in(
            view.as_json(*parts, *more, **shown),
            cloud.session.signed_in_with,
        ),
    )
    return bool(planned.plan.changes)
