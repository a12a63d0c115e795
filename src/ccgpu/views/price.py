"""Prices, as text and as JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.price import HOST, HOURS_PER_MONTH, Price, RegionPrice
from ccgpu.scheduling.clock import rfc3339
from ccgpu.views.tables import Grid, RowTable

_NOTE = "retail prices without taxes, discounts, traffic and disk operations; a month has {} hours"


def as_text(prices: Sequence[RegionPrice], *, spot: bool, simulated: bool) -> RenderableType:
    """A table with a row for each region, the parts of the first one, and where it is from."""
    table = RowTable("REGION", "HOUR", "DAY", "MONTH", "HOUR AS SPOT", right=True)
    for one in prices:
        price = one.spot if spot else one.on_demand
        spans = [
            amount(each, price.currency) for each in (price.hourly, price.daily, price.monthly)
        ]
        table.add_row(one.region, *spans, amount(one.spot.hourly, one.spot.currency))
    shown = [one.spot if spot else one.on_demand for one in prices]
    parts = [_parts_table(prices[0].region, shown[0])] if shown else []
    reasons = dict.fromkeys(reason for price in shown for reason in price.unknown)
    notes = [f"unknown: {reason}" for reason in reasons]
    notes.append(_NOTE.format(HOURS_PER_MONTH) + ("; simulated" if simulated else ""))
    dates = sorted(one.as_of for one in shown if one.as_of is not None)
    notes += [f"{HOST} on {datetime.fromtimestamp(one, UTC):%Y-%m-%d}" for one in dates[:1]]
    return Group(table, *parts, Text(""), *(Text(note) for note in notes))


def as_json(prices: Sequence[RegionPrice], size: str, *, simulated: bool) -> dict[str, Any]:
    """The JSON document `ccgpu.price/1`."""
    return {
        "schema": "ccgpu.price/1",
        "size": size,
        "prices": [
            {
                "region": one.region,
                "on_demand": document(one.on_demand),
                "spot": document(one.spot),
            }
            for one in prices
        ],
        "simulated": simulated,
    }


def document(price: Price) -> dict[str, Any]:
    """A price as a part of a JSON document. An amount that is not known is null."""
    return {
        "currency": price.currency,
        "hourly": number(price.hourly),
        "daily": number(price.daily),
        "monthly": number(price.monthly),
        "as_of": None if price.as_of is None else rfc3339(price.as_of),
        "source": HOST,
        "parts": [
            {
                "what": one.part.what,
                "hourly": number(one.hourly),
                "meter": one.meter,
                "effective": one.effective,
                "unknown": one.unknown,
            }
            for one in price.parts
        ],
    }


def amount(value: Decimal | None, currency: str) -> str:
    """An amount of money, or a dash."""
    return "-" if value is None else f"{value:.2f} {currency}"


def number(value: Decimal | None) -> float | None:
    """An amount as a JSON number."""
    return None if value is None else float(round(value, 6))


def _parts_table(region: str, price: Price) -> RenderableType:
    table = Grid()
    for one in price.parts:
        cost = "-" if one.hourly is None else f"{one.hourly:.4f} {price.currency}"
        table.add_row("", Text(one.part.what), Text(cost), Text(one.meter or one.unknown or ""))
    return Group(Text(f"\nan hour in {region}:"), table)
