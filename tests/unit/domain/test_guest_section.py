"""What the section `guest` takes, and what it refuses before anything is asked of Azure."""

import pytest
from pydantic import ValidationError

from ccgpu.domain.image import parse, ubuntu_release
from ccgpu.domain.spec.guest import MAX_PART_BYTES, MAX_PARTS, Guest
from ccgpu.domain.spec.vm import VmSpec

_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----"
_COMMUNITY = "/CommunityGalleries/g/Images/i"


def _message(**guest) -> str:
    with pytest.raises(ValidationError) as caught:
        Guest.model_validate(guest)
    return str(caught.value)


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("driver", "595", "595"),
        ("driver", 595, "595"),
        ("driver", "595.71.05", "595.71.05"),
        ("driver", "550.113", "550.113"),
        ("apt_snapshot", "20260615T120000Z", "20260615T120000Z"),
        ("apt_snapshot", "none", "none"),
        ("cloud_init", ["#cloud-config\na: 1\n"], ("#cloud-config\na: 1\n",)),
        ("cloud_init", ["#cloud-config \r\na: ü€😀\n"], ("#cloud-config \r\na: ü€😀\n",)),
        ("cloud_init", ["#!/usr/bin/env python3\n"], ("#!/usr/bin/env python3\n",)),
        ("cloud_init", ["#!x\n# merge_how: fine in a script\n"], None),
    ],
)
def test_a_value_is_taken(field, given, kept):
    value = getattr(Guest.model_validate({field: given}), field)
    assert value == (tuple(given) if kept is None else kept)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("driver", "r595", "driver branch such as 595"),
        ("driver", "595.71.05; reboot", "driver branch such as 595"),
        ("driver", "595\n", "driver branch such as 595"),
        ("driver", "", "driver branch such as 595"),
        ("driver", True, "string"),
        ("apt_snapshot", "2026-06-15", "a time such as 20260615T120000Z"),
        ("apt_snapshot", "20261315T120000Z", "a time such as"),
        ("apt_snapshot", "20260615T120000+0000", "a time such as"),
        ("apt_snapshot", "", "a time such as"),
        ("cloud_init", ["packages: [vim]"], "must begin with #cloud-config"),
        ("cloud_init", ["#cloud-config-archive\n"], "must begin with #cloud-config"),
        ("cloud_init", ["#cloud-boothook\n"], "must begin with #cloud-config"),
        ("cloud_init", ["#include\nhttps://example.org\n"], "must begin with #cloud-config"),
        ("cloud_init", ["sha256:0123456789abcdef"], "must begin with #cloud-config"),
        ("cloud_init", [f"#cloud-config\nssh_keys: {{x: '{_KEY}'}}\n"], "holds a private key"),
        ("cloud_init", [f"#!/bin/sh\n{'x' * MAX_PART_BYTES}"], "is longer than 32 KiB"),
        ("cloud_init", ["#!/bin/sh\n\x1b[2J"], "has a control character"),
        ("cloud_init", ["#cloud-config\nmerge_how: []\n"], "may not say how it is merged"),
        ("cloud_init", ["#cloud-config\n'merge_type' : x\n"], "may not say how it is merged"),
        ("cloud_init", ["#!/bin/sh\n"] * (MAX_PARTS + 1), "at most 8"),
        ("ready", "now", "after-attestation"),
        ("updates", "all", "security"),
        ("temp_disk", "plain", "encrypted"),
    ],
)
def test_a_value_is_refused(field, value, words):
    assert words in _message(**{field: value})


def test_a_refusal_does_not_quote_the_key():
    assert "OPENSSH" not in _message(cloud_init=[f"#!/bin/sh\necho {_KEY}\n"])


@pytest.mark.parametrize(
    ("image", "release"),
    [
        ("Canonical:ubuntu-24_04-lts:cvm:latest", "24.04"),
        ("canonical:0001-com-ubuntu-confidential-vm-jammy:22_04-lts-cvm:latest", "22.04"),
        ("Canonical:0001-com-ubuntu-confidential-vm-focal:20_04-lts-cvm:latest", None),
        ("Canonical:ubuntu-26_04-lts:cvm:latest", None),
        ("almalinux:ubuntu-24_04-lts:cvm:latest", None),
        (_COMMUNITY, None),
    ],
)
def test_ccgpu_sets_up_canonicals_images_of_two_releases(image, release):
    assert ubuntu_release(parse(image)) == release
    assert VmSpec(name="demo", image=image).is_set_up is (release is not None)


@pytest.mark.parametrize("field", Guest.SET_UP)
def test_an_image_with_its_own_driver_refuses_what_nobody_would_carry_out(field):
    other = {
        "driver": "550.144.03",
        "apt_snapshot": "none",
        "updates": "none",
        "temp_disk": "none",
    }
    guest = {field: other.get(field, False)}
    with pytest.raises(ValidationError, match="only Canonical's images"):
        VmSpec.model_validate({"name": "demo", "image": _COMMUNITY, "guest": guest})
    assert VmSpec.model_validate({"name": "demo", "guest": guest}).is_set_up


@pytest.mark.parametrize(
    "guest", [{"lockdown": False}, {"ready": "at-boot"}, {"cloud_init": ["#!/bin/sh\n"]}]
)
def test_the_other_fields_hold_for_every_image(guest):
    VmSpec.model_validate({"name": "demo", "image": _COMMUNITY, "guest": guest})
