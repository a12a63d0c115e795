"""Whether a region can hold the VM: every kind of no, with its reason."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.capacity import CapacityCheck, Offer, QuotaNeed, Usage, assess_capacity
from ccgpu.domain.catalog import NCC_H100_V5, NCC_QUOTA_FAMILY, NCC_VCPUS

_OFFER = Offer("eastus2", ("1", "2"), NCC_QUOTA_FAMILY, NCC_VCPUS, {})
_FAMILY = Usage(NCC_QUOTA_FAMILY, "NCC v5 vCPUs", 0, 80)
_TOTAL = Usage("cores", "Total Regional vCPUs", 10, 100)
_SPOT = Usage("lowPriorityCores", "Low-priority vCPUs", 0, 40)
_ALL = (_FAMILY, _TOTAL, _SPOT)


def _judge(offer: Offer | None = _OFFER, **changes: Any) -> CapacityCheck:
    given_ = {"zone": None, "spot": False, "usages": _ALL} | changes
    return assess_capacity("eastus2", NCC_H100_V5, offer=offer, **given_)


@pytest.mark.parametrize(
    ("offer", "zone", "spot", "refusal", "field"),
    [
        pytest.param(
            None, None, False, f"eastus2 does not offer {NCC_H100_V5}", "regions", id="not offered"
        ),
        pytest.param(
            replace(_OFFER, barred="NotAvailableForSubscription"),
            None,
            False,
            f"eastus2: {NCC_H100_V5} is closed to this subscription (NotAvailableForSubscription)",
            None,
            id="closed",
        ),
        pytest.param(
            _OFFER,
            "3",
            False,
            f"eastus2: zone 3 does not have {NCC_H100_V5} (zones 1, 2)",
            "zone",
            id="other zones",
        ),
        pytest.param(
            replace(_OFFER, zones=()),
            "1",
            False,
            f"eastus2: zone 1 does not have {NCC_H100_V5} (no zones)",
            "zone",
            id="no zones",
        ),
        pytest.param(
            replace(_OFFER, barred_zones={"2": "QuotaId"}),
            "2",
            False,
            f"eastus2, zone 2: {NCC_H100_V5} is closed in zone 2 (QuotaId)",
            None,
            id="closed zone",
        ),
        pytest.param(
            replace(_OFFER, capabilities={"LowPriorityCapable": "False"}),
            None,
            True,
            f"eastus2: {NCC_H100_V5} is not offered as Spot there",
            "spot",
            id="no spot",
        ),
    ],
)
def test_a_region_without_the_size_has_a_reason(offer, zone, spot, refusal, field):
    verdict = _judge(offer, zone=zone, spot=spot)
    assert verdict == CapacityCheck("eastus2", (), refusal, quota=False, field=field)


@pytest.mark.parametrize(
    ("offer", "zone", "spot"),
    [
        pytest.param(_OFFER, None, False, id="anywhere"),
        pytest.param(_OFFER, "2", False, id="a zone that has it"),
        pytest.param(replace(_OFFER, barred_zones={"1": "x"}), "2", False, id="another is closed"),
        pytest.param(replace(_OFFER, barred_zones={"1": "x"}), None, False, id="no zone asked"),
        pytest.param(_OFFER, None, True, id="spot is not said to be missing"),
        pytest.param(
            replace(_OFFER, capabilities={"LowPriorityCapable": "True"}), None, True, id="spot"
        ),
        pytest.param(
            replace(_OFFER, capabilities={"LowPriorityCapable": "False"}),
            None,
            False,
            id="no spot, none asked",
        ),
    ],
)
def test_a_region_with_size_and_quota_is_accepted(offer, zone, spot):
    verdict = _judge(offer, zone=zone, spot=spot)
    assert verdict.refusal is None
    assert all(need.met for need in verdict.needs)


def test_a_regular_vm_needs_family_and_regional_quota():
    assert _judge().needs == (
        QuotaNeed("NCC v5 vCPUs", 0, 80, 40),
        QuotaNeed("Total Regional vCPUs", 10, 100, 50),
    )


def test_a_replacement_needs_only_cores_beyond_the_released_ones():
    full = [replace(_FAMILY, used=80), replace(_TOTAL, used=100)]
    assert _judge(usages=full).quota
    assert _judge(usages=full, cores_released=True) == CapacityCheck(
        "eastus2",
        (QuotaNeed("NCC v5 vCPUs", 80, 80, 80), QuotaNeed("Total Regional vCPUs", 100, 100, 100)),
    )


def test_a_spot_vm_needs_only_the_quota_of_spot():
    assert _judge(spot=True).needs == (QuotaNeed("Low-priority vCPUs", 0, 40, 40),)


@pytest.mark.parametrize("name", ["Standard NCC ads 2023 Family ", "STANDARDNCCADS2023FAMILY"])
def test_quota_names_are_case_insensitive(name):
    assert _judge(usages=[replace(_FAMILY, name=name)]).needs == (
        QuotaNeed("NCC v5 vCPUs", 0, 80, 40),
    )


def test_family_and_cores_come_from_the_sku():
    offer = replace(_OFFER, family="otherFamily", vcpus=96)
    usages = [Usage("otherFamily", "Other", 1, 2), _FAMILY]
    assert _judge(offer, usages=usages).needs == (QuotaNeed("Other", 1, 2, 97),)


def test_an_unlisted_quota_refuses_nothing():
    assert _judge(usages=()) == CapacityCheck("eastus2", ())


def test_every_exceeded_quota_is_shown_with_its_numbers():
    verdict = _judge(usages=[replace(_FAMILY, limit=0), replace(_TOTAL, used=90)])
    assert verdict.quota
    assert verdict.refusal == (
        "eastus2: quota is too small (NCC v5 vCPUs: 0 of 0 used, 40 more needed: the limit "
        "must be 40; Total Regional vCPUs: 90 of 100 used, 40 more needed: the limit must be 130)"
    )
    assert [need.met for need in verdict.needs] == [False, False]


def test_sufficient_quotas_are_not_named():
    verdict = _judge(usages=[replace(_FAMILY, limit=39), _TOTAL])
    assert "Regional" not in str(verdict.refusal)
    assert len(verdict.needs) == 2


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_quota_may_be_used_up_to_its_limit(used, limit):
    verdict = _judge(usages=[replace(_FAMILY, used=used, limit=limit)])
    assert (verdict.refusal is None) is (used + NCC_VCPUS <= limit)
    assert verdict.quota is (verdict.refusal is not None)
