"""Prices of what a spec describes, and of what exists. An unknown price stops nothing."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from ccgpu.azure.retail_prices import RetailPrices
from ccgpu.azure.run import Run
from ccgpu.domain.action import Action
from ccgpu.domain.capacity import not_a_region
from ccgpu.domain.catalog import Kind
from ccgpu.domain.deployment import Deployment
from ccgpu.domain.price import Price, RegionPrice, max_price_warnings, parts_of_spec
from ccgpu.errors import InvalidFile, Problem

if TYPE_CHECKING:
    from ccgpu.domain.spec.vm import VmSpec
    from ccgpu.workflows.create.context import CreateOutcome

# Prices in China have a list of their own (Microsoft Learn, "Azure Retail Prices API for China").
_OTHER_LIST = "china"


def prices_of_spec(
    prices: RetailPrices, spec: "VmSpec", regions: Sequence[str], currency: str = "USD"
) -> list[RegionPrice]:
    """The price of the spec's VM in each region, on demand and as Spot.

    Raises:
        InvalidFile: The list was read, and has nothing in a region.
    """
    wanted = [
        parts_of_spec(spec, region, spot=spot) for spot in (False, True) for region in regions
    ]
    found = prices.read(wanted, currency)
    _require_listed(regions, frozenset().union(*(one.listed for one in found)))
    on_demand, spot = found[: len(regions)], found[len(regions) :]
    return [RegionPrice(*each) for each in zip(regions, on_demand, spot, strict=True)]


def _require_listed(regions: Sequence[str], listed: frozenset[str]) -> None:
    """Raise `InvalidFile` for regions without a price, if the list could be read."""
    missing = [one for one in regions if one not in listed and not one.startswith(_OTHER_LIST)]
    told = [not_a_region(one, "is not in Azure's price list", listed) for one in missing]
    if listed and told:
        hint = "`ccgpu capacity --all-regions` lists the regions that offer the size"
        raise InvalidFile("spec", [Problem("regions", one) for one in told], hint=hint)


def price_of_spec(prices: RetailPrices, spec: "VmSpec", region: str, within: float = inf) -> Price:
    """The price of the spec's VM, on demand or as Spot, as the spec says.

    within: seconds after which it counts as unknown.
    """
    return prices.read([parts_of_spec(spec, region, spot=spec.spot)], within=within)[0]


def price_of_plan(prices: RetailPrices, planned: "CreateOutcome") -> Price:
    """The price of the VM that a plan would make, in its region."""
    return price_of_spec(prices, planned.effective_spec.spec, planned.candidate.placement.region)


def with_price_warnings(planned: "CreateOutcome", price: Price) -> "CreateOutcome":
    """The plan with a warning if its new Spot VM costs more than its maximum price."""
    spec, plan = planned.effective_spec.spec, planned.plan
    made = plan.of(Action.CREATE, Action.REPLACE)
    if all(step.resource.kind is not Kind.VM for step in made):
        return planned
    warned = max_price_warnings(price, spec.max_price)
    return replace(planned, warnings=(*planned.warnings, *warned))


def announce_price(run: Run, spec: "VmSpec", region: str) -> tuple[str, ...]:
    """Tell what the VM will cost, before it is created. Returns the warnings, told as well."""
    price = price_of_spec(run.cloud.prices, spec, region, run.deadline.left())
    run.tell("note", f"the price of {spec.name} is {price.summary}")
    warned = max_price_warnings(price, spec.max_price)
    for text in warned:
        run.tell("note", text)
    return warned


def with_prices(run: Run, deployments: Sequence[Deployment]) -> list[Deployment]:
    """The deployments, each with the price of what bills now."""
    prices, left = run.cloud.prices, run.deadline.left()
    found = prices.read([one.billable for one in deployments], within=left)
    return [replace(one, price=each) for one, each in zip(deployments, found, strict=True)]
