"""Where a VM could be, and what quota there is, as text and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.candidate import Availability, CandidateVerdict
from ccgpu.domain.capacity import QuotaNeed
from ccgpu.domain.price import Price
from ccgpu.domain.quota_request import QuotaShortage
from ccgpu.views import price as prices
from ccgpu.views.tables import RowTable

_WORDS = {
    Availability.OK: "yes",
    Availability.UNKNOWN: "unknown",
    Availability.QUOTA: "no quota",
    Availability.RESTRICTED: "closed",
    Availability.NO_IMAGE: "no image",
    Availability.NOT_OFFERED: "not offered",
}
_STYLES = {Availability.OK: "green", Availability.UNKNOWN: "yellow"}
_CAVEAT = "Azure's lists can be wrong in both directions: only a create proves that there is room"


@dataclass(frozen=True, slots=True)
class PricedCandidate:
    """A candidate and the price of the VM there."""

    verdict: CandidateVerdict
    price: Price


def capacity_as_text(rows: Sequence[PricedCandidate]) -> RenderableType:
    """A row for each candidate, then what the lists do not prove."""
    table = RowTable("REGION", "ZONE", "ROOM", "USD/H", "REASON")
    for row in rows:
        verdict, hourly = row.verdict, row.price.hourly
        cost = "-" if hourly is None else f"{hourly:.2f}"
        room = Text(_WORDS[verdict.availability], style=_STYLES.get(verdict.availability, "red"))
        table.add_row(verdict.region, verdict.zone or "-", room, cost, verdict.reason or "")
    return Group(table, Text(f"\n{_CAVEAT}"))


def capacity_as_json(
    rows: Sequence[PricedCandidate], size: str, *, simulated: bool
) -> dict[str, Any]:
    """The JSON document `ccgpu.capacity/1`."""
    return {
        "schema": "ccgpu.capacity/1",
        "size": size,
        "candidates": [
            {
                "region": row.verdict.region,
                "zone": row.verdict.zone,
                "availability": row.verdict.availability.value,
                "reason": row.verdict.reason,
                "quota": [_need(each) for each in row.verdict.needs],
                "price": prices.document(row.price),
            }
            for row in rows
        ],
        "simulated": simulated,
    }


def quota_as_text(verdicts: Sequence[CandidateVerdict], size: str, portal: str) -> RenderableType:
    """A row for each quota of each region; for what lacks, where to ask and what to write."""
    table = RowTable("REGION", "QUOTA", "USED", "LIMIT", "FOR ONE VM", "ENOUGH")
    for verdict in verdicts:
        for need in verdict.needs:
            enough = Text("yes", style="green") if need.met else Text("no", style="red")
            numbers = (str(need.used), str(need.limit), str(need.after - need.used))
            table.add_row(verdict.region, need.shown, *numbers, enough)
        if not verdict.needs:
            table.add_row(verdict.region, f"unknown: {verdict.reason}", *[""] * 4)
    lines = [f"  {one.request(size)}" for one in _shortages(verdicts)]
    if lines:
        lines = [f"ask for more at {portal}", "with a text such as:", *lines]
    whole = (Text(line, no_wrap=True, overflow="ignore") for line in lines)  # to be copied
    return Group(table, *([Text("")] if lines else []), *whole)


def quota_as_json(
    verdicts: Sequence[CandidateVerdict], size: str, portal: str, *, simulated: bool
) -> dict[str, Any]:
    """The JSON document `ccgpu.quota/1`."""
    return {
        "schema": "ccgpu.quota/1",
        "size": size,
        "regions": [
            {
                "region": one.region,
                "quota": [_need(need) for need in one.needs],
                "unknown": None if one.needs else one.reason,
            }
            for one in verdicts
        ],
        "portal": portal,
        "requests": [one.request(size) for one in _shortages(verdicts)],
        "simulated": simulated,
    }


def _shortages(verdicts: Sequence[CandidateVerdict]) -> list[QuotaShortage]:
    return [
        QuotaShortage(need.shown, need.used, need.limit, need.after - need.used, one.region)
        for one in verdicts
        for need in one.needs
        if not need.met
    ]


def _need(need: QuotaNeed) -> dict[str, Any]:
    return {
        "name": need.shown,
        "used": need.used,
        "limit": need.limit,
        "after": need.after,
        "enough": need.met,
    }
