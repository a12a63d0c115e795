"""Checks before the first PUT: registered providers, existing regions, an offered size."""

from typing import Any

import pytest

from ccgpu.domain.catalog import NCC_H100_V5
from ccgpu.errors import AzureRefused, CapacityUnavailable, InvalidFile, QuotaExceeded
from support import faults
from support.cloud import NO_ROOM, Machine, make_spec

_OFFERED = f"{NCC_H100_V5} is offered in centralus, eastus2, westeurope"
_FAMILY = "StandardNCCads2023Family"
_NO_PROVIDERS_READ = faults.NthRequest(
    0,
    lambda request: (
        "/providers/microsoft." in request.path.casefold() and request.path.count("/") == 4
    ),
    faults.FORBIDDEN,
    times=None,
)


def _refusal(machine: Machine, kind: type[Exception], **changes: Any) -> Any:
    with pytest.raises(kind) as caught:
        machine.create(make_spec(**changes))
    assert machine.writes() == []
    return caught.value


@pytest.mark.parametrize("state", ["NotRegistered", "Unregistered", "Unregistering"])
@pytest.mark.parametrize("namespace", ["Microsoft.Compute", "Microsoft.Network"])
def test_an_unregistered_provider_is_refused_before_the_first_write(
    machine: Machine, namespace: str, state: str
) -> None:
    machine.arm.settings.set("providers", namespace, value=state)
    err = _refusal(machine, AzureRefused)
    assert (err.code, err.exit_code) == ("MissingSubscriptionRegistration", 4)
    assert namespace in str(err)
    command = (
        f"az provider register --namespace {namespace} --subscription {machine.arm.subscription}"
    )
    assert command in err.hint


def test_every_unregistered_provider_is_named(machine: Machine) -> None:
    for namespace in ("Microsoft.Compute", "Microsoft.Network"):
        machine.arm.settings.set("providers", namespace, value="NotRegistered")
    err = _refusal(machine, AzureRefused)
    assert "Microsoft.Compute and Microsoft.Network are not registered" in str(err)
    assert err.hint.count("az provider register") == 2


def test_a_provider_being_registered_is_accepted(machine: Machine) -> None:
    machine.arm.settings.set("providers", "Microsoft.Compute", value="Registering")
    machine.create()


@pytest.mark.slow
def test_an_unneeded_provider_may_be_unregistered(machine: Machine) -> None:
    machine.arm.settings.set("providers", "Microsoft.Storage", value="NotRegistered")
    machine.create()


def test_create_works_without_the_right_to_read_providers(machine: Machine) -> None:
    machine.arm.faults.append(_NO_PROVIDERS_READ)
    machine.create()


def test_without_the_right_to_read_providers_the_first_put_gives_the_hint(machine: Machine) -> None:
    machine.arm.faults.append(_NO_PROVIDERS_READ)
    text = "The subscription is not registered to use namespace 'Microsoft.Network'."
    put = faults.error(409, "MissingSubscriptionRegistration", text)
    machine.arm.faults.append(
        faults.NthRequest(0, faults.request_to("PUT", "Microsoft.Network"), put)
    )
    with pytest.raises(AzureRefused) as caught:
        machine.create()
    assert caught.value.code == "MissingSubscriptionRegistration"
    assert "--namespace Microsoft.Network --subscription" in str(caught.value.hint)
    assert machine.kinds() == []


def test_providers_are_read_only_before_a_vm_is_created(machine: Machine) -> None:
    machine.create()
    machine.arm.settings.set("providers", "Microsoft.Compute", value="NotRegistered")
    machine.create()


@pytest.mark.parametrize(
    ("region", "told"),
    [
        ("eastus22", f"eastus22 is not an Azure region, did you mean eastus2? {_OFFERED}"),
        ("westeurop", f"westeurop is not an Azure region, did you mean westeurope? {_OFFERED}"),
        ("atlantis", f"atlantis is not an Azure region: {_OFFERED}"),
        ("northeurope", f"northeurope does not offer {NCC_H100_V5}: {_OFFERED}"),
        ("westus3", f"westus3 does not offer {NCC_H100_V5}: {_OFFERED}"),
    ],
)
def test_a_region_without_the_size_is_a_usage_problem(
    machine: Machine, region: str, told: str
) -> None:
    err = _refusal(machine, InvalidFile, regions=[region])
    assert err.exit_code == 3
    assert [(one.path, one.message) for one in err.problems] == [("regions", told)]


def test_an_unknown_region_is_refused_beside_valid_ones(
    machine: Machine,
) -> None:
    err = _refusal(machine, InvalidFile, regions=["eastus2", "eastus22", "nowhere"])
    assert [one.message.split()[0] for one in err.problems] == ["eastus22", "nowhere"]


def test_a_region_may_be_given_by_its_display_name(machine: Machine) -> None:
    machine.create(make_spec(regions=["East US 2"]))


def test_a_region_is_refused_without_the_right_to_read_providers(machine: Machine) -> None:
    machine.arm.faults.append(_NO_PROVIDERS_READ)
    err = _refusal(machine, InvalidFile, regions=["eastus22"])
    assert "eastus22 is not a region with VM sizes, did you mean eastus2?" in str(err)
    assert _OFFERED in str(err)


@pytest.mark.slow
def test_a_region_without_the_size_is_skipped_with_its_reason(machine: Machine) -> None:
    outcome = machine.create(make_spec(regions=["northeurope", "eastus2"]))
    assert outcome.candidate.placement.region == "eastus2"
    machine.delete()
    machine.arm.settings.set("quota", "*", _FAMILY, value=0)
    with pytest.raises(QuotaExceeded) as caught:
        machine.create(make_spec(regions=["northeurope", "eastus2"]))
    lines = str(caught.value).splitlines()
    assert lines[1].endswith("[InvalidFile]")
    assert lines[2].endswith("[Preflight]")


def test_every_zone_without_the_size_is_named(machine: Machine) -> None:
    err = _refusal(machine, InvalidFile, regions=["westeurope", "centralus"], zone="3")
    assert [one.path for one in err.problems] == ["zone", "zone"]


@pytest.mark.slow
def test_a_refused_allocation_shows_azures_code_region_and_zone(machine: Machine) -> None:
    machine.arm.settings.set("capacity", NCC_H100_V5, value={"eastus2": NO_ROOM})
    with pytest.raises(CapacityUnavailable, match=r"\n  eastus2: Allocation failed") as one:
        machine.create()
    assert one.value.code == "AllocationFailed"
    with pytest.raises(CapacityUnavailable, match=r"^eastus2, zone 1: creating ") as one:
        machine.create(make_spec(zone="1"))
    assert one.value.code == "ZonalAllocationFailed"


@pytest.mark.slow
def test_every_region_is_named_with_its_error_code(machine: Machine) -> None:
    machine.arm.settings.set("capacity", NCC_H100_V5, value={"eastus2": NO_ROOM})
    bar = [{"type": "Location", "reasonCode": "NotAvailableForSubscription"}]
    machine.arm.settings.set("restrictions", NCC_H100_V5, "westeurope", value=bar)
    with pytest.raises(CapacityUnavailable) as caught:
        machine.create(make_spec(regions=["westeurope", "eastus2", "northeurope"]))
    err = caught.value
    assert err.code == "AllocationFailed"
    head, *lines = str(err).splitlines()
    assert head == "no region can host the VM:"
    zones = [f"eastus2, zone {zone}" for zone in "123"]
    assert [line.split(":")[0].strip() for line in lines[:5]] == ["westeurope", "eastus2", *zones]
    codes = ["Preflight]", "AllocationFailed]", *["ZonalAllocationFailed]"] * 3, "InvalidFile]"]
    assert [f"{line.rsplit('[', 1)[1].split(']')[0]}]" for line in lines] == codes


def test_regions_refused_by_the_preflight_have_the_code_preflight(machine: Machine) -> None:
    bar = [{"type": "Location", "reasonCode": "NotAvailableForSubscription"}]
    for region in ("westeurope", "eastus2"):
        machine.arm.settings.set("restrictions", NCC_H100_V5, region, value=bar)
    err = _refusal(machine, CapacityUnavailable, regions=["westeurope", "eastus2"])
    assert err.code == "Preflight"


def test_quota_that_azure_refuses_names_the_region(machine: Machine) -> None:
    machine.arm.settings.set("quota", "*", _FAMILY, value=0)
    with pytest.raises(QuotaExceeded, match=r"^eastus2: creating .*exceeding approved") as caught:
        machine.create(skip_preflight=True)
    assert caught.value.code == "OperationNotAllowed"


def test_a_missing_image_is_not_a_capacity_error(machine: Machine) -> None:
    image = "Canonical:ubuntu-24_04-lts:cvm:1.2.3"
    with pytest.raises(AzureRefused) as caught:
        machine.create(make_spec(regions=["eastus2", "westeurope"], image=image))
    assert caught.value.exit_code == 4
