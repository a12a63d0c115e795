"""The limits of each field: what lies just beyond them is refused, in words."""

import pytest
from pydantic import ValidationError

from ccgpu.domain.spec import problems
from ccgpu.domain.spec.vm import VmSpec

_GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/g"

_REFUSED = [
    ("name", "a-", "1 to 63"),
    ("name", "a" * 64, "1 to 63"),
    ("name", "a_b", "1 to 63"),
    ("name", "a-", "not end with '-'"),
    ("name", "ab\n", "1 to 63"),
    ("name", "é1", "1 to 63"),
    ("regions", [], "at least one"),
    ("regions", ["e"], "is not a region"),
    ("regions", ["2east"], "is not a region"),
    ("regions", ["eastus2", "EastUS2"], "same region twice"),
    ("zone", "0", "1, 2 or 3"),
    ("zone", 4, "1, 2 or 3"),
    ("zone", True, "must be text"),
    ("size", "Standard_NCC40ads_H100_v5x", "not a confidential-GPU size"),
    ("size", "Standard_NC40ads_H100_v5", "not a confidential-GPU size"),
    ("image", "Canonical:ubuntu-24_04-lts:server:latest", "not made for confidential VMs"),
    ("os_disk", {"size_gib": 29}, "at least 30"),
    ("os_disk", {"size_gib": 4096}, "at most 4095"),
    ("os_disk", {"size_gib": 30.5}, "whole number"),
    ("os_disk", {"type": "UltraSSD_LRS"}, "Premium_LRS, StandardSSD_LRS, Standard_LRS"),
    ("os_disk", {"encryption": "off"}, "'full' or 'state-only'"),
    ("os_disk", {"encryption_set": _GROUP}, "diskEncryptionSets/NAME"),
    ("data_disks", [{"size_gib": 0}], "at least 1"),
    ("data_disks", [{"size_gib": True}], "must be a number"),
    ("data_disks", [{"size_gib": 32768}], "at most 32767"),
    ("data_disks", [{"size_gib": 8}] * 9, "at most 8"),
    ("admin_user", "", "1 to 32"),
    ("admin_user", "a" * 33, "1 to 32"),
    ("admin_user", "-a", "1 to 32"),
    ("admin_user", "Root", "1 to 32"),
    ("admin_user", "root", "refused by Azure"),
    ("admin_user", "support_388945a0", "refused by Azure"),
    ("admin_user", "123", "refused by Azure"),
    ("admin_user", "daemon", "taken on every Ubuntu"),
    ("ssh_from", "", "must be `auto`"),
    ("ssh_from", "10.0.0.0/33", "must be `auto`"),
    ("ssh_from", "::1", "is IPv6"),
    ("subnet", _GROUP, "subnets/NAME"),
    ("identities", ["user"], "must be `system`"),
    ("identities", ["system", "SYSTEM"], "same identity twice"),
    ("tags", {"": "x"}, "0 characters"),
    ("tags", {"x" * 513: "x"}, "513 characters"),
    ("tags", {"x": "y" * 257}, "257 characters"),
    ("tags", {"x": "a\nb"}, "cannot be printed"),
    ("tags", {"x\n": "a"}, "Azure refuses"),
    *(("tags", {f"a{sign}b": "x"}, "Azure refuses") for sign in r"<>%&\?/"),
    ("tags", {"CCGPU-x": "x"}, "ccgpu's own"),
    ("tags", {"Azure": "x"}, "keeps for itself"),
    ("tags", {"microsoft.x": "x"}, "keeps for itself"),
    ("tags", {"windows": "x"}, "keeps for itself"),
    ("tags", {"a": "x", "A": "x"}, "same tag twice"),
    ("tags", {f"t{number}": "" for number in range(43)}, "at most 42"),
    ("ttl", "9m", "from 10m to 30d"),
    ("ttl", 3600, "as in 8h"),
    ("resource_group", "", "1 to 90"),
    ("resource_group", "g.", "not end with '.'"),
    ("resource_group", "g" * 91, "1 to 90"),
    ("resource_group", "g/h", "1 to 90"),
]
_REFUSED_WITH_SPOT = [
    (0, "above 0"),
    (True, "must be a number"),
    (-1.5, "above 0"),
    (float("inf"), "a number"),
    (float("nan"), "a number"),
    (0.000001, "5 decimals"),
]


def _messages(**fields) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        VmSpec.model_validate({"name": "demo"} | fields)
    return [problem.message for problem in problems.problems_in(caught.value)]


@pytest.mark.parametrize(("field", "value", "fragment"), _REFUSED)
def test_a_value_beyond_a_limit_is_refused(field, value, fragment):
    messages = _messages(**{field: value})
    assert len(messages) == 1
    assert fragment in messages[0]


@pytest.mark.parametrize(("price", "fragment"), _REFUSED_WITH_SPOT)
def test_an_invalid_price_is_refused(price, fragment):
    (message,) = _messages(spot=True, max_price=price)
    assert fragment in message


def test_keys_that_differ_only_in_their_comment_are_equal():
    from support.public_keys import ed25519_line

    (message,) = _messages(ssh_keys=[ed25519_line(), f"{ed25519_line()} again"])
    assert "same key twice" in message


def test_a_size_may_be_named_as_lists_show_it():
    spec = VmSpec(name="demo", size="ncc40ads_h100_v5")
    assert spec.size == "Standard_NCC40ads_H100_v5"
