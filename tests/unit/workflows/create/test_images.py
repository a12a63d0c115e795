"""Image versions are resolved once and recorded; an existing VM keeps its image."""

import pytest

from ccgpu.errors import AzureRefused, NotFound, UsageProblem
from support.cloud import Machine, make_spec

COMMUNITY = (
    "/CommunityGalleries/cgpuimage-db870bae-5bcf-4120-9415-b841adef61d3"
    "/Images/cgpu-NCC-2404-base-image"
)
OLDER = "24.04.202606070"


def image_of(machine: Machine) -> dict[str, str]:
    vm = "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo"
    found: dict[str, str] = machine.get(vm)["properties"]["storageProfile"]["imageReference"]
    return found


@pytest.mark.parametrize("tail", ["", "/Versions/latest"])
def test_the_latest_community_image_is_resolved_and_kept(machine: Machine, tail: str) -> None:
    spec = make_spec(image=COMMUNITY + tail)
    machine.create(spec)
    exact = image_of(machine)["communityGalleryImageId"]
    assert exact.rsplit("/", 1)[-1] == "2404.20260928.0"  # one that is newer is left out of latest
    assert machine.create(spec).plan.changes == ()


def test_a_version_of_a_community_image_can_be_pinned(machine: Machine) -> None:
    spec = make_spec(image=f"{COMMUNITY}/Versions/2404.20260928.0")
    machine.create(spec)
    assert image_of(machine)["communityGalleryImageId"].endswith("/2404.20260928.0")
    assert machine.create(spec).plan.changes == ()


@pytest.mark.slow
def test_latest_stays_the_version_of_the_existing_vm(machine: Machine) -> None:
    machine.create(make_spec(image=f"Canonical:ubuntu-24_04-lts:cvm:{OLDER}"))
    assert image_of(machine)["version"] == OLDER
    assert (
        machine.create(make_spec(image="Canonical:ubuntu-24_04-lts:cvm:latest")).plan.changes == ()
    )


@pytest.mark.slow
def test_another_pinned_version_needs_a_replacement(machine: Machine) -> None:
    machine.create()
    with pytest.raises(UsageProblem, match=f"image: Canonical:.* → Canonical:.*:{OLDER}"):
        machine.create(make_spec(image=f"Canonical:ubuntu-24_04-lts:cvm:{OLDER}"))


@pytest.mark.slow
def test_another_image_needs_a_replacement(machine: Machine) -> None:
    machine.create()
    with pytest.raises(UsageProblem, match="  image: Canonical:"):
        machine.create(make_spec(image=COMMUNITY))
    with pytest.raises(UsageProblem, match="  image: Canonical:"):
        machine.create(make_spec(image="Canonical:ubuntu-22_04-lts:cvm:latest"))


def test_a_missing_image_is_refused_before_the_first_write(machine: Machine) -> None:
    with pytest.raises((NotFound, AzureRefused)):
        machine.create(make_spec(image="Canonical:ubuntu-99_04-lts:cvm:latest"))
    with pytest.raises((NotFound, AzureRefused)):
        machine.create(make_spec(image=f"{COMMUNITY}/Versions/1.2.3"))
    assert machine.writes() == []
