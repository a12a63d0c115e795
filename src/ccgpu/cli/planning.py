"""The plan of a create, for `ccgpu plan` and `create --dry-run`."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ccgpu.cli.access_options import UNKNOWN_WAY, WayOptions
from ccgpu.cli.releasing import wanted_release
from ccgpu.cli.runtime import ConnectionOptions, OutputOptions, Runtime
from ccgpu.cli.spec_options import SpecRequest, connect_and_resolve

if TYPE_CHECKING:
    from ccgpu.domain.given import RequestedSpec
    from ccgpu.workflows.create.context import CreateOptions


@dataclass(frozen=True, slots=True)
class HowPlanned:
    """The options of the create that is planned.

    attested: whether the VM may be attested (no --no-attest). waits: whether it waits for the VM.
    """

    fresh: bool
    skip_preflight: bool = False
    way: WayOptions = UNKNOWN_WAY
    attested: bool = True
    waits: bool = True

    @property
    def ends_attested(self) -> bool:
        """Whether the create attests the VM at its end."""
        return self.attested and self.waits


def preview(
    runtime: Runtime,
    request: SpecRequest,
    output: OutputOptions,
    connection: ConnectionOptions,
    how: HowPlanned,
) -> bool:
    """Print the plan of a create; returns whether it changes anything."""
    from ccgpu.views import plan as view
    from ccgpu.views.signed_in import with_sign_in
    from ccgpu.workflows import prices
    from ccgpu.workflows.create import planning
    from ccgpu.workflows.create.released import not_released_note, require_release

    cloud, wanted = connect_and_resolve(
        lambda: runtime.connect(connection), request, runtime, fresh=how.fresh
    )
    require_release(wanted.spec, attested=how.attested)
    options = _options(runtime, wanted, how)
    access = how.way.access(cloud, wanted.spec.name) if how.ends_attested else None
    planned, expected = planning.preview_with_forecast(cloud, wanted.spec, options, access)
    spec = planned.effective_spec.spec
    price = prices.price_of_plan(cloud.prices, planned)
    planned = prices.with_price_warnings(planned, price)
    if unreleased := not_released_note(spec, wait=how.waits):
        planned = replace(planned, warnings=(*planned.warnings, runtime.complete(unreleased)))
    for note in planned.notes if output.is_text else ():
        runtime.note(f"note: {note}")
    more = (planned.effective_spec.remembered, planned.warnings)
    place, needs = planned.candidate.placement, planned.candidate.needs
    parts = (planned.plan, place, needs, price)
    secrets = spec.secrets if how.ends_attested else ()
    shown: dict[str, Any] = {
        "expected": expected,
        "secrets": secrets,
        "simulated": cloud.simulated,
    }
    runtime.answer(
        output,
        lambda: view.as_text(*parts, **shown),
        lambda: with_sign_in(
            view.as_json(*parts, *more, **shown),
            cloud.session.signed_in_with,
        ),
    )
    return bool(planned.plan.changes)


def _options(runtime: Runtime, wanted: "RequestedSpec", how: HowPlanned) -> "CreateOptions":
    from ccgpu.store.keys import Keys
    from ccgpu.workflows.create.context import CreateOptions

    return CreateOptions(
        Keys(runtime.state, wanted.spec.name, runtime.home).planned,
        skip_preflight=how.skip_preflight,
        given=wanted.given,
        release=wanted_release(runtime, wanted.spec.secrets),
    )
