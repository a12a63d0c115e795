"""`ccgpu price`."""

import re
from typing import Annotated

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, OutputArguments
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.spec_options import FreshOption, SpecArguments, connect_and_resolve


def _currency(value: str) -> str:
    """Parse a currency's code (ISO 4217)."""
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise typer.BadParameter(f"{value!r} is not a currency: write three letters, as in EUR")
    return value


@expand_options
def price(
    ctx: typer.Context,
    *,
    request: SpecArguments,
    fresh: FreshOption = False,
    currency: Annotated[
        str, typer.Option("--currency", parser=_currency, metavar="CODE", help="Currency.")
    ] = "USD",
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Show what the VM of a spec would cost, in each of its regions.

    The price list is public: without NAME, no sign-in is needed. Amounts that it does not have, or
    that cannot be read now, are shown as unknown. Prices in other currencies than USD are Azure's
    reference values.

    Example: `ccgpu price --region eastus2 --region westeurope --os-disk-gib 512`
    """
    from ccgpu.views import price as view
    from ccgpu.workflows.prices import prices_of_spec

    runtime: Runtime = ctx.obj
    backend = runtime.backend(connection)
    if request.name is None:
        spec = request.build(runtime, default_name="price")
    else:
        spec = connect_and_resolve(backend.connect, request, runtime, fresh=fresh)[1].spec
    found = prices_of_spec(backend.prices(), spec, spec.regions, currency)
    simulated = backend.simulated
    runtime.answer(
        output,
        lambda: view.as_text(found, spot=spec.spot, simulated=simulated),
        lambda: view.as_json(found, spec.size, simulated=simulated),
    )
