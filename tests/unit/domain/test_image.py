"""Which image references are understood, and what they name."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain import catalog, image

_GALLERY = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/my.group"
    "/providers/Microsoft.Compute/galleries/g_1/images/cvm"
)

_GOOD = [
    (
        catalog.DEFAULT_IMAGE,
        image.Marketplace("Canonical", "ubuntu-24_04-lts", "cvm", "latest"),
    ),
    (
        "Canonical:0001-com-ubuntu-confidential-vm-jammy:22_04-lts:22.04.202606120",
        image.Marketplace(
            "Canonical", "0001-com-ubuntu-confidential-vm-jammy", "22_04-lts", "22.04.202606120"
        ),
    ),
    ("/CommunityGalleries/g-1/Images/i", image.Community("g-1", "i", "latest")),
    ("/communityGalleries/g-1/images/i/versions/Latest", image.Community("g-1", "i", "latest")),
    ("/CommunityGalleries/g/Images/i/Versions/1.2.3", image.Community("g", "i", "1.2.3")),
    (_GALLERY, image.Gallery(_GALLERY)),
    (f"{_GALLERY}/versions/1.0.0", image.Gallery(f"{_GALLERY}/versions/1.0.0")),
]

_BAD = [
    ("", "is not an image that can be used"),
    ("Canonical:ubuntu-24_04-lts:cvm", "publisher:offer:sku:version"),
    ("Canonical:ubuntu-24_04-lts:cvm:1.2", "publisher:offer:sku:version"),
    ("Canonical:ubuntu-24_04-lts:cvm:latest\n", "publisher:offer:sku:version"),
    ("Canonical:ubuntu-24_04-lts:server:latest", "not made for confidential VMs"),
    ("MicrosoftWindowsServer:windows-cvm:x:latest", "Windows"),
    ("/CommunityGalleries/g/Images/i/Versions/new", "community gallery"),
    ("/CommunityGalleries/g/Images/i/x", "community gallery"),
    (_GALLERY.replace("galleries/g_1/images", "images"), "managed image"),
    (_GALLERY.replace("galleries", "disks"), "write /subscriptions/ID"),
]


@pytest.mark.parametrize(("text", "reference"), _GOOD)
def test_image_references_are_parsed(text, reference):
    assert image.parse(text) == reference


@pytest.mark.parametrize(("text", "fragment"), _BAD)
def test_images_that_cannot_start_a_confidential_vm_are_refused(text, fragment):
    with pytest.raises(ValueError, match=fragment):
        image.parse(text)


@pytest.mark.parametrize("reference", [reference for _, reference in _GOOD])
def test_image_references_round_trip_through_text(reference):
    assert image.parse(str(reference)) == reference


@given(st.text())
def test_any_text_is_parsed_or_a_value_error(text):
    with suppress(ValueError):
        image.parse(text)
