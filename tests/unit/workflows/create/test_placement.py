"""Placement follows the user's order, existing resources, and cores released by a replacement."""

import pytest

from ccgpu.errors import InvalidFile, QuotaExceeded
from support.cloud import Machine, make_spec

FAMILY = "StandardNCCads2023Family"


@pytest.mark.slow
def test_replacing_in_another_region_counts_the_released_cores(machine: Machine) -> None:
    machine.create(make_spec(zone="1"))
    machine.arm.settings.set("quota", "*", FAMILY, value=40)
    outcome = machine.create(make_spec(zone="2"), replace=True)
    assert outcome.candidate.placement.zone == "2"
    assert [need.after for need in outcome.candidate.needs] == [40, 40]


def test_create_skips_a_region_without_quota(machine: Machine) -> None:
    machine.arm.settings.set("quota", "eastus2", value={FAMILY: 0, "cores": 200})
    outcome = machine.create(make_spec(regions=["eastus2", "westeurope"]))
    assert outcome.candidate.placement.region == "westeurope"


def test_every_skipped_region_is_named_with_its_reason(machine: Machine) -> None:
    machine.arm.settings.set("quota", "*", FAMILY, value=0)
    with pytest.raises(QuotaExceeded, match=r"(?s)eastus2: quota.*northeurope does not offer"):
        machine.create(make_spec(regions=["eastus2", "northeurope"]))
    assert machine.writes() == []


def test_a_zone_without_the_size_is_a_usage_problem(machine: Machine) -> None:
    with pytest.raises(InvalidFile, match=r"zone: westeurope: zone 3 does not have .*zones 1, 2"):
        machine.create(make_spec(regions=["westeurope"], zone="3"))
    assert machine.writes() == []


def test_without_the_preflight_azure_decides(machine: Machine) -> None:
    machine.arm.settings.set("quota", "*", FAMILY, value=0)
    with pytest.raises(QuotaExceeded, match="exceeding approved"):
        machine.create(skip_preflight=True)
    assert machine.kinds() == []
