"""The section `guest` of a VM in its tag: readable, within Azure's limit, and never trusted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.catalog import MAX_TAG_VALUE
from ccgpu.domain.guest_tag import guest_differences, installed_driver, live_guest, tag_text
from ccgpu.domain.resource import GUEST, Body
from ccgpu.domain.spec.guest import Guest, Ready, TempDisk, Updates, is_unknown_part
from support.specs import make_spec

_GALLERY = "/CommunityGalleries/g/Images/i/Versions/1.0.0"
_PARTS = ("#cloud-config\npackages: [vim]\n", "#!/bin/sh\ntrue\n")
_OTHER = {
    "driver": "550.144.03",
    "docker": False,
    "container_toolkit": False,
    "openssl": False,
    "apt_snapshot": "none",
    "updates": Updates.NONE,
    "temp_disk": TempDisk.NONE,
    "cloud_init": _PARTS,
    "ready": Ready.AT_BOOT,
    "lockdown": False,
}


def _vm(text: str | None) -> Body:
    return {"tags": {} if text is None else {GUEST.upper(): text}}


def _tag(**guest: Any) -> str:
    return tag_text(make_spec(guest=guest))


def test_every_field_is_in_the_tag():
    names = [pair.partition("=")[0] for pair in _tag().split(";")]
    assert names == list(Guest.model_fields)


def test_the_longest_tag_fits_at_azure():
    spec = make_spec(guest={"driver": "595.9999.9999", "cloud_init": list(_PARTS), "docker": False})
    assert len(tag_text(spec, "595.9999.9999")) <= MAX_TAG_VALUE


def test_the_installed_driver_is_known_and_not_compared():
    older, newer = (_vm(tag_text(make_spec(), version)) for version in ("595.71.05", "595.91.07"))
    assert installed_driver(older) == "595.71.05"
    assert guest_differences(newer, older) == ()
    assert live_guest(older) == live_guest(_vm(_tag()))


@pytest.mark.parametrize("text", ["", "installed=", "installed=595", "installed=595.71;reboot"])
def test_an_installed_driver_that_is_no_version_is_unknown(text):
    assert installed_driver(_vm(text)) in (None, "595.71")
    assert installed_driver(_vm("installed=$(id)")) is None


def test_an_image_with_its_own_driver_has_none_of_the_set_up_fields():
    text = tag_text(make_spec(image=_GALLERY, guest={"lockdown": False}))
    assert text == "cloud_init=none;ready=after-attestation;lockdown=false"


@pytest.mark.parametrize("name", Guest.model_fields)
def test_a_changed_field_is_one_difference_with_both_values(name):
    changed = guest_differences(_vm(_tag(**{name: _OTHER[name]})), _vm(_tag()))
    assert [one.path for one in changed] == [f"guest.{name}"]
    assert changed[0].wanted != changed[0].found


def test_a_section_does_not_differ_from_itself():
    assert guest_differences(_vm(_tag(**_OTHER)), _vm(_tag(**_OTHER))) == ()


def test_content_counts_and_the_order_of_parts():
    one, two, three = (_tag(cloud_init=parts) for parts in (_PARTS, _PARTS[::-1], _PARTS[:1]))
    assert len({one, two, three}) == 3


@pytest.mark.parametrize("text", [None, "", "driver"])
def test_a_vm_without_the_tag_has_no_differences_and_no_values(text):
    assert guest_differences(_vm(_tag()), _vm(text)) == ()
    assert live_guest(_vm(text)) == {}


def test_a_field_that_the_tag_does_not_have_is_not_compared():
    assert guest_differences(_vm(_tag()), _vm("driver=595")) == ()


def test_the_values_of_the_tag_are_those_of_the_section():
    live = live_guest(_vm(_tag(**{**_OTHER, "cloud_init": []})))
    assert live == {**_OTHER, "cloud_init": ()}


def test_parts_are_known_by_their_hash_alone_and_keep_the_tag_equal():
    text = _tag(cloud_init=_PARTS)
    (part,) = live_guest(_vm(text))["cloud_init"]
    assert is_unknown_part(part)
    guest = Guest().model_copy(update={"cloud_init": (part,)})
    assert tag_text(make_spec().model_copy(update={"guest": guest})) == text


@pytest.mark.parametrize(
    "text",
    [
        "driver=595;rm -rf /",
        "driver=$(reboot)",
        "driver=595 x",
        "docker=perhaps",
        "apt_snapshot=20260615T120000Z\nX=1",
        "cloud_init=#!/bin/sh",
        "cloud_init=sha256:0123456789abcdef",
        "cloud_init=0123456789ABCDEF",
        "ready=now",
        "name=x",
        "model_config=x",
        "SET_UP=x",
    ],
)
def test_a_value_that_no_spec_could_have_is_left_out(text):
    """Whoever may write tags must not write what a VM runs."""
    live = live_guest(_vm(text))
    assert set(live) <= {"driver"}
    assert live.get("driver", "595") == "595"


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_any_tag_can_be_read(text):
    guest = Guest().model_copy(update=live_guest(_vm(text)))
    guest_differences(_vm(_tag()), _vm(text))
    assert set(guest.model_fields_set) <= set(Guest.model_fields)
