"""Verdicts on regions and zones: what Azure does not tell is unknown, never a no."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from ccgpu.domain.candidate import (
    Availability,
    CandidateVerdict,
    RegionFacts,
    WantedVm,
    judge_region,
    sort_key,
)
from ccgpu.domain.capacity import Offer, SizeOffers, Usage
from ccgpu.domain.catalog import NCC_H100_V5, NCC_QUOTA_FAMILY, NCC_VCPUS
from ccgpu.domain.price import Price, PricedPart, public_ip_part
from ccgpu.domain.quota_request import PORTALS, QuotaShortage, parse_refusal

_OFFER = Offer("eastus2", ("1", "2"), NCC_QUOTA_FAMILY, NCC_VCPUS, {})
_USAGES = (Usage(NCC_QUOTA_FAMILY, "NCC", 0, 80), Usage("cores", "Total", 0, 100))
_WANTED = WantedVm(NCC_H100_V5)


def _judge(offer: Offer | None = _OFFER, wanted: WantedVm = _WANTED, **facts: Any) -> Any:
    offers = SizeOffers(frozenset({"eastus2"}), {"eastus2": offer} if offer else {})
    given: dict[str, Any] = {"offers": offers, "usages": _USAGES} | facts
    found = judge_region("eastus2", wanted, RegionFacts(**given))
    return {one.zone: one for one in found}


def test_a_region_and_each_of_its_zones_is_a_candidate():
    found = _judge()
    assert list(found) == [None, "1", "2"]
    assert {one.availability for one in found.values()} == {Availability.OK}
    assert [need.after for need in found[None].needs] == [40, 40]


@pytest.mark.parametrize(
    ("facts", "kind", "reason"),
    [
        ({"offer": None}, "not_offered", f"eastus2 does not offer {NCC_H100_V5}"),
        (
            {"offer": replace(_OFFER, barred="QuotaId")},
            *("restricted", f"{NCC_H100_V5} is closed to this subscription (QuotaId)"),
        ),
        (
            {"usages": (replace(_USAGES[0], limit=0), _USAGES[1])},
            *(
                "quota",
                "quota is too small (NCC: 0 of 0 used, 40 more needed: the limit must be 40)",
            ),
        ),
        (
            {"usages": (_USAGES[0], replace(_USAGES[1], limit=30))},
            *(
                "quota",
                "quota is too small (Total: 0 of 30 used, 40 more needed: the limit must be 40)",
            ),
        ),
        ({"image_problem": "no such image"}, "no_image", "no such image"),
        ({"usages": None, "unknown": ("throttled",)}, "unknown", "throttled"),
        ({"offers": SizeOffers(frozenset(), {})}, "unknown", "Azure lists no VM sizes there"),
        (
            {"offers": SizeOffers(frozenset(), {}), "unknown": ("denied",)},
            *("unknown", "denied"),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_every_kind_of_answer_has_its_verdict(facts, kind, reason):
    verdict = _judge(**facts)[None]
    assert (verdict.availability, verdict.reason) == (Availability(kind), reason)


def test_a_restricted_zone_leaves_the_others_and_the_region():
    found = _judge(replace(_OFFER, barred_zones={"1": "QuotaId"}))
    assert {zone: one.availability.value for zone, one in found.items()} == {
        None: "ok",
        "2": "ok",
        "1": "restricted",
    }


def test_a_wanted_zone_is_the_only_candidate():
    assert list(_judge(wanted=replace(_WANTED, zone="2"))) == ["2"]
    (verdict,) = _judge(wanted=replace(_WANTED, zone="3")).values()
    assert (verdict.availability, verdict.place) == (Availability.NOT_OFFERED, "eastus2, zone 3")


def test_a_no_outranks_what_is_unknown():
    short = (replace(_USAGES[0], limit=0), _USAGES[1])
    assert _judge(usages=short, unknown=("image",))[None].availability is Availability.QUOTA


def test_candidates_are_sorted_by_hope_then_price_then_wish():
    def priced(dollars):
        known = PricedPart(public_ip_part("r"), dollars and Decimal(dollars))
        return Price("USD", (known,), 0.0)

    def verdict(kind):
        return CandidateVerdict("r", None, Availability(kind))

    rows = [("unknown", 1), ("ok", None), ("ok", 8), ("ok", 7), ("quota", 1), ("ok", 7)]
    keys = [sort_key(verdict(kind), priced(cost), wish) for wish, (kind, cost) in enumerate(rows)]
    assert [key[2] for key in sorted(keys)] == [3, 5, 2, 1, 0, 4]


_REFUSAL = (
    "Operation could not be completed as it results in exceeding approved {} quota. Additional "
    "details - Deployment Model: Resource Manager, Location: EastUS2, Current Limit: 40, Current "
    "Usage: 40, Additional Required: 40, (Minimum) New Limit Required: 80. Submit a request"
)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("standardNCCads2023Family Cores", "Standard NCCads2023 Family vCPUs"),
        ("Total Regional Cores", "Total Regional vCPUs"),
        ("LowPriorityCores", "Total Regional Low-priority vCPUs"),
        ("standardDSv5Family Cores", "standardDSv5Family Cores"),
    ],
)
def test_the_numbers_of_a_refusal_are_read(name, shown):
    found = parse_refusal(_REFUSAL.format(name))
    assert found == QuotaShortage(shown, 40, 40, 40, "eastus2")
    assert found.text == f"{shown}: 40 of 40 used, 40 more needed: the limit must be 80"
    told = f"Please raise {shown} in eastus2 from 40 to 80."
    assert found.request(NCC_H100_V5).startswith(told)


@pytest.mark.parametrize("text", ["", "exceeding approved x quota", "Current Limit: 3"])
def test_another_text_is_not_guessed_at(text):
    assert parse_refusal(text) is None


def test_every_cloud_has_a_portal():
    assert PORTALS.keys() == {"public", "usgov", "china"}
