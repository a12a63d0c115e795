"""A VM that boots a measured image: its body, its config, and what its spec may not ask for."""

import base64
import json
import re
from dataclasses import replace

import pytest
from pydantic import ValidationError

from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Placement, desired_resources
from ccgpu.domain.guest_config import config_bytes
from ccgpu.domain.image import Gallery, MeasuredImage, parse_measured
from ccgpu.domain.image_pcrs import config_digest
from ccgpu.domain.measured_boot import (
    MeasuredBoot,
    given_config,
    measured_boot,
    measured_differences,
    says_measured,
)
from ccgpu.domain.plan import make_plan
from ccgpu.domain.resource import GUEST, Body, Resource, key
from ccgpu.domain.spec.os_disk import DiskEncryption
from ccgpu.domain.status import State, vm_state
from ccgpu.domain.vm_view import tells_agent
from ccgpu.templates.guest.image import config as guest
from support.public_keys import ed25519_line
from support.specs import STAMP, SUBSCRIPTION, make_spec

_IMAGE = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute/galleries/g"
    "/images/tiny"
)
_SPEC = {"image": f"measured:/home/me/a@b/image.json@{_IMAGE}"}
_SHA256 = "ab" * 32


def vm_of(boot: MeasuredBoot | None = None) -> Resource:
    spec = make_spec(**_SPEC)
    place = Placement("eastus2", None, {"id": f"{_IMAGE}/versions/1.2.3"})
    wanted = boot or measured_boot(spec, _SHA256)
    made = desired_resources(spec, SUBSCRIPTION, place, STAMP, wanted)
    return next(one for one in made.values() if one.kind is Kind.VM)


def test_the_body_matches_the_golden_file(golden):
    vm = vm_of()
    golden("arm/measured.json", {"id": vm.id, "body": vm.body})


def test_nothing_reaches_the_vm_from_beside_the_image():
    properties = vm_of().body["properties"]
    profile = properties["osProfile"]
    assert profile["allowExtensionOperations"] is False
    assert profile["linuxConfiguration"]["provisionVMAgent"] is False
    assert profile.keys().isdisjoint({"customData", "adminPassword", "secrets"})
    assert properties["securityProfile"]["uefiSettings"] == {
        "secureBootEnabled": False,
        "vTpmEnabled": True,
    }
    managed = properties["storageProfile"]["osDisk"]["managedDisk"]
    assert managed["securityProfile"] == {"securityEncryptionType": "VMGuestStateOnly"}
    assert GUEST not in vm_of().body["tags"]


def test_the_config_is_what_the_guest_takes_and_measures():
    body = vm_of().body
    config = given_config(body)
    assert config is not None
    assert base64.b64encode(config).decode() == body["properties"]["userData"]
    assert body["tags"]["ccgpu-guest-config"] == config_digest(config).hex()
    document = guest.parse_config(config)
    assert document["user"] == "azureuser"
    assert document["ssh_keys"] == [" ".join(ed25519_line().split()[:2])]


def test_the_config_is_the_same_for_the_same_keys():
    key_ = " ".join(ed25519_line().split()[:2])
    assert config_bytes("me", [f"{key_} a comment"]) == config_bytes("me", (key_,))
    assert config_bytes("me", [key_]) != config_bytes("you", [key_])


def live(vm: Resource, **properties: object) -> Body:
    """The GET of a VM that was made with this body."""
    shown = {name: value for name, value in vm.body["properties"].items() if name != "userData"}
    network: Body = {"networkInterfaces": []}
    return vm.body | {"id": vm.id, "properties": shown | {"networkProfile": network} | properties}


def test_another_manifest_or_config_makes_the_vm_anew():
    made = measured_boot(make_spec(**_SPEC), _SHA256)
    before = live(vm_of(made))
    assert measured_differences(vm_of(made).body, before) == ()
    for other, path in (
        (replace(made, manifest_sha256="cd" * 32), "image.measured"),
        (replace(made, config=b"{}"), "image.config"),
    ):
        wanted = vm_of(other)
        (found,) = measured_differences(wanted.body, before)
        assert found.path == path
        plan = make_plan({wanted.id: wanted}, {key(wanted.id): before}, "demo")
        assert [step.action for step in plan.steps] == ["replace"]


def test_a_vm_without_an_agent_is_ready_once_it_runs():
    view = {"statuses": [{"code": "PowerState/running"}]}
    running = live(vm_of(), provisioningState="Succeeded", instanceView=view)
    assert vm_state(running) is State.READY
    assert tells_agent(running)
    assert says_measured(running)
    del running["properties"]["osProfile"]["linuxConfiguration"]["provisionVMAgent"]
    assert vm_state(running) is State.BOOTING
    assert not tells_agent(running)


def test_a_measured_image_is_a_file_and_a_gallery_image():
    spec = make_spec(**_SPEC)
    assert spec.measured_image == MeasuredImage("/home/me/a@b/image.json", Gallery(_IMAGE))
    assert spec.image_reference == Gallery(_IMAGE)
    assert spec.image == str(spec.measured_image)
    assert parse_measured("Canonical:ubuntu-24_04-lts:cvm:latest") is None
    with pytest.raises(ValueError, match="measured:FILE@ID"):
        parse_measured("measured:image.json")


def test_the_defaults_are_those_of_an_image_that_nobody_signed():
    spec = make_spec(**_SPEC)
    assert spec.secure_boot is False
    assert spec.os_disk.encryption is DiskEncryption.STATE_ONLY
    assert make_spec().secure_boot is True


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"secure_boot": True}, ("secure_boot",), "must be false"),
        ({"os_disk": "large"}, ("os_disk",), "must be a mapping"),
        ({"os_disk": {"encryption": "full"}}, ("os_disk", "encryption"), "must be state-only"),
        ({"guest": {"driver": "550.144.03"}}, ("guest", "driver"), "is used as it is"),
        ({"guest": {"cloud_init": ["#!/bin/sh"]}}, ("guest", "cloud_init"), "is used as it is"),
        ({"guest": {"ready": "at-boot"}}, ("guest", "ready"), "is used as it is"),
        ({"guest": {"lockdown": False}}, ("guest", "lockdown"), "is used as it is"),
    ],
)
def test_what_would_be_set_up_is_refused_by_its_field(changes, path, message):
    with pytest.raises(ValidationError) as caught:
        make_spec(**_SPEC, **changes)
    (problem,) = caught.value.errors()
    assert problem["loc"] == path
    assert re.search(message, problem["msg"])


def test_more_keys_than_the_guest_takes_are_refused():
    word, data = ed25519_line().split()[:2]
    blob = base64.b64decode(data)
    keys = [
        f"{word} {base64.b64encode(blob[:-2] + number.to_bytes(2, 'big')).decode()}"
        for number in range(65)
    ]
    assert len(json.loads(config_bytes("me", keys))["ssh_keys"]) == 65
    make_spec(**_SPEC, ssh_keys=keys[:64])
    with pytest.raises(ValidationError, match="at most 64 keys"):
        make_spec(**_SPEC, ssh_keys=keys)
