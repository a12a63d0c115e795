"""The spec: defaults, what it accepts and how it spells it, and all problems at once."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ccgpu.domain import catalog, image
from ccgpu.domain.spec import problems
from ccgpu.domain.spec.data_disks import DataDisk
from ccgpu.domain.spec.os_disk import DiskEncryption, OsDisk
from ccgpu.domain.spec.vm import VmSpec
from support import public_keys

_GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/g"
_SUBNET = f"{_GROUP}/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
_DES = f"{_GROUP}/providers/Microsoft.Compute/diskEncryptionSets/d"
_IDENTITY = f"{_GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"


def _spec(**fields) -> VmSpec:
    return VmSpec.model_validate({"name": "demo"} | fields)


def _problems(**fields) -> dict[tuple[str | int, ...], str]:
    with pytest.raises(ValidationError) as caught:
        _spec(**fields)
    return dict(problems.problems_in(caught.value))


def test_a_spec_needs_only_a_name():
    spec = _spec()

    assert spec.regions == ("eastus2", "westeurope", "centralus")
    assert spec.size == "Standard_NCC40ads_H100_v5"
    assert spec.image_reference == image.parse(catalog.DEFAULT_IMAGE)
    assert spec.os_disk == OsDisk(
        size_gib=256, type="Premium_LRS", encryption=DiskEncryption.FULL, encryption_set=None
    )
    assert spec.secure_boot
    assert spec.boot_diagnostics
    assert not any((spec.private, spec.spot, spec.ssh_from_anywhere))
    assert (spec.ssh_from, spec.admin_user) == ("auto", "azureuser")


@pytest.mark.parametrize(
    ("fields", "group"),
    [({}, "ccgpu-demo"), ({"resource_group": "mine"}, "mine")],
)
def test_the_group_has_a_default_name(fields, group):
    assert _spec(**fields).group == group


@pytest.mark.parametrize(
    ("encryption", "arm"),
    [("full", "DiskWithVMGuestState"), ("state-only", "VMGuestStateOnly")],
)
def test_each_encryption_maps_to_a_value_of_arm(encryption, arm):
    assert DiskEncryption(encryption).arm == arm


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("name", "ab", "ab"),
        ("name", "a" * 59, "a" * 59),
        ("regions", ["East US 2", "centralus"], ("eastus2", "centralus")),
        ("zone", 3, "3"),
        ("zone", "1", "1"),
        ("zone", None, None),
        ("size", "standard_ncc40ads_h100_V5", "Standard_NCC40ads_H100_v5"),
        ("size", "Standard_NCC80ads_H100_v5", "Standard_NCC80ads_H100_v5"),
        ("admin_user", "_x-1", "_x-1"),
        ("ssh_from", "203.0.113.7", "203.0.113.7/32"),
        ("ssh_from", "203.0.113.7/24", "203.0.113.0/24"),
        ("ssh_from", "10.0.0.0/8", "10.0.0.0/8"),
        ("ssh_from", " AUTO ", "auto"),
        ("subnet", _SUBNET, _SUBNET),
        ("identities", ["System", _IDENTITY], ("system", _IDENTITY)),
        ("tags", {"Team": "a, b"}, {"Team": "a, b"}),
        ("tags", {f"t{n}": "" for n in range(42)}, {f"t{n}": "" for n in range(42)}),
        ("tags", {"a" * 512: "b" * 256}, {"a" * 512: "b" * 256}),
        ("ttl", "2d12h", timedelta(days=2, hours=12)),
        ("ttl", timedelta(minutes=10), timedelta(minutes=10)),
        ("resource_group", "a.(b)_-1", "a.(b)_-1"),
        ("os_disk", {"type": "standard_lrs"}, OsDisk(type="Standard_LRS")),
        ("os_disk", {"size_gib": "30"}, OsDisk(size_gib=30)),
        ("os_disk", {"encryption_set": _DES}, OsDisk(encryption_set=_DES)),
        ("data_disks", [{"size_gib": 32767}] * 8, (DataDisk(size_gib=32767),) * 8),
        ("secure_boot", "true", True),
        (
            "ssh_keys",
            [f" {public_keys.ed25519_line()}  me\n"],
            (f"{public_keys.ed25519_line()} me",),
        ),
    ],
)
def test_field_values_are_normalised(field, given, kept):
    assert getattr(_spec(**{field: given}), field) == kept


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a" * 63, "subnet": _SUBNET},
        {"secure_boot": False, "os_disk": {"encryption": "state-only"}},
        {"ssh_from": "0.0.0.0/0", "ssh_from_anywhere": True},
        {"ssh_from": "10.0.0.1", "ssh_from_anywhere": True},
        {"spot": True, "max_price": -1},
        {"spot": True, "max_price": 1.23456},
    ],
)
def test_valid_combinations_of_fields_are_accepted(fields):
    _spec(**fields)


_BROKEN_RULES = [
    ({"name": "a" * 60}, ("name",)),
    ({"secure_boot": False}, ("secure_boot",)),
    (
        {"os_disk": {"encryption": "state-only", "encryption_set": _DES}},
        ("os_disk", "encryption_set"),
    ),
    ({"ssh_from": "0.0.0.0/0"}, ("ssh_from",)),
    ({"ssh_from": "16.0.0.0/7"}, ("ssh_from",)),
    ({"ssh_from_anywhere": True}, ("ssh_from_anywhere",)),
    ({"max_price": 2}, ("max_price",)),
]


@pytest.mark.parametrize(("fields", "path"), _BROKEN_RULES)
def test_a_rule_between_fields_is_reported_at_the_field_to_change(fields, path):
    assert list(_problems(**fields)) == [path]


@pytest.mark.parametrize(("fields", "path"), _BROKEN_RULES)
def test_rules_are_checked_despite_problems_of_other_fields(fields, path):
    disk = {"size_gib": 1, "typo": 2} | fields.get("os_disk", {})
    problems = _problems(**fields | {"os_disk": disk, "regions": [], "data_disks": [{}]})

    assert list(problems) == [
        ("regions",),
        ("os_disk", "size_gib"),
        ("os_disk", "typo"),
        ("data_disks", 0, "size_gib"),
        path,
    ]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"secure_boot": False, "os_disk": {"encryption": "none"}}, ("os_disk", "encryption")),
        ({"secure_boot": False, "os_disk": 5}, ("os_disk",)),
        ({"secure_boot": "no, thanks"}, ("secure_boot",)),
        ({"max_price": 2, "spot": "?"}, ("spot",)),
        ({"ssh_from": "nowhere", "ssh_from_anywhere": True}, ("ssh_from",)),
    ],
)
def test_rules_are_skipped_if_one_of_their_fields_is_invalid(fields, path):
    assert list(_problems(**fields)) == [path]


def test_rules_are_checked_without_a_name():
    with pytest.raises(ValidationError) as caught:
        VmSpec.model_validate({"secure_boot": False, 7: "seven"})
    assert {path for path, _ in problems.problems_in(caught.value)} >= {("name",), ("secure_boot",)}


@pytest.mark.parametrize("data", [None, [], "demo", 3])
def test_a_spec_must_be_a_mapping(data):
    with pytest.raises(ValidationError, match="must be a mapping of fields"):
        VmSpec.model_validate(data)


def test_a_spec_instance_is_accepted():
    spec = _spec()
    assert VmSpec.model_validate(spec) == spec


def test_errors_do_not_repeat_given_values():
    secret = public_keys.private_key()
    with pytest.raises(ValidationError) as caught:
        _spec(ssh_keys=[secret], image=secret, admin_user=secret, os_disk={"type": secret})
    body = secret.splitlines()[1]

    assert len(caught.value.errors()) == 4
    assert body not in f"{caught.value} {caught.value!r} {caught.value.errors()}"


_names = st.from_regex(r"[a-z][a-z0-9-]{0,57}[a-z0-9]", fullmatch=True)
_disk_types = st.sampled_from(catalog.DISK_TYPES)
_specs = st.fixed_dictionaries(
    {"name": _names},
    optional={
        "regions": st.lists(
            st.sampled_from(["eastus2", "West Europe", "centralus"]), min_size=1, unique=True
        ),
        "zone": st.sampled_from(["1", "2", "3", 1]),
        "os_disk": st.fixed_dictionaries(
            {},
            optional={
                "size_gib": st.integers(30, 4095),
                "type": _disk_types,
                "encryption": st.just("full"),
                "encryption_set": st.just(_DES),
            },
        ),
        "data_disks": st.lists(
            st.fixed_dictionaries({"size_gib": st.integers(1, 32767)}), max_size=8
        ),
        "tags": st.dictionaries(
            st.sampled_from(["a", "b.c", "d e"]), st.text("xyz é", max_size=9), max_size=3
        ),
        "ttl": st.integers(10, 43200).map(lambda minutes: f"{minutes}m"),
        "spot": st.just(True),
        "ssh_keys": st.just([public_keys.ed25519_line(1), public_keys.rsa_line(2048)]),
        "ssh_from": st.sampled_from(["auto", "198.51.100.7", "10.0.0.0/8"]),
        "identities": st.just(["system", _IDENTITY]),
    },
)


@given(_specs)
def test_a_spec_round_trips_through_json(values):
    spec = VmSpec.model_validate(values)
    assert VmSpec.model_validate(spec.model_dump(mode="json")) == spec
    assert VmSpec.model_validate_json(spec.model_dump_json()) == spec


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(sorted(VmSpec.model_fields)) | st.text(), _json))
def test_any_values_are_a_spec_or_problems_with_messages(values):
    found: tuple[problems.FieldProblem, ...] = ()
    try:
        VmSpec.model_validate(values)
    except ValidationError as err:
        found = problems.problems_in(err)
    assert all(problem.path and problem.message for problem in found)
