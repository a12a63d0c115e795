"""Appraisal policies: half of one is none, and what loosens says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ccgpu.attest.tokens.issuers import jwks_url
from ccgpu.domain import policy, policy_comparison
from ccgpu.domain.overrides import Overrides
from ccgpu.domain.policy import Policy
from ccgpu.store import policies

SHIPPED = ["cpu-only", "default", "gpu-only", "measured", "strict"]


def values(name="default"):
    return policies.load(name).model_dump(mode="json", exclude_none=True)


def _remove_field(document, *path):
    changed = {**document}
    if len(path) == 1:
        del changed[path[0]]
    else:
        changed[path[0]] = _remove_field(document[path[0]], *path[1:])
    return changed


def _with(document, value, *path):
    inner = value if len(path) == 1 else _with(document[path[0]], value, *path[1:])
    return {**document, path[0]: inner}


def _fields(document, prefix=()):
    for name, value in document.items():
        yield (*prefix, name)
        if isinstance(value, dict):
            yield from _fields(value, (*prefix, name))


def test_the_names_of_the_shipped_policies_are_fixed():
    assert policies.names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_policy_loosens_nothing_and_has_its_file_name(name):
    found = policies.load(name)

    assert found.name == name
    assert found.unsafe == ()


@pytest.mark.parametrize(
    "path", [p for p in _fields(values()) if not p[-1].startswith("unsafe_")], ids=".".join
)
def test_every_field_is_required(path):
    with pytest.raises(ValidationError):
        Policy.model_validate(_remove_field(values(), *path))


def test_all_shipped_policies_have_the_same_token_issuers():
    lists = {policies.load(name).tokens.maa_issuers for name in SHIPPED}

    (issuers,) = lists
    assert len(set(issuers)) == len(issuers)
    for issuer in issuers:
        region = issuer.removeprefix("https://").split(".")[1]
        cloud = "us" if region in ("ugv", "uga") else "net"
        assert issuer == f"https://shared{region}.{region}.attest.azure.{cloud}"
        assert jwks_url(issuer) == f"{issuer}/certs"


def test_an_empty_policy_is_refused():
    with pytest.raises(ValidationError):
        Policy.model_validate({})


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([], ("requires",)),
        (["cpu", "cpu", "gpu"], ("requires",)),
        (["cpu"], ("requires",)),
        ("whatever", ("binding",)),
        ("1 day", ("max_age",)),
        (3600, ("max_age",)),
        ([], ("cpu", "products")),
        (["Naples"], ("cpu", "products")),
        ([], ("cpu", "id_key_digests")),
        (["00"], ("cpu", "id_key_digests")),
        ([], ("cpu", "required_pcrs")),
        ([24], ("cpu", "required_pcrs")),
        (256, ("cpu", "minimum_tcb", "snp")),
        (True, ("cpu", "minimum_tcb", "snp")),
        (True, ("cpu", "minimum_guest_svn")),
        (-1, ("cpu", "minimum_guest_svn")),
        (2**32, ("cpu", "minimum_guest_svn")),
        (2**64, ("cpu", "required_mitigations")),
        (["595.71.05", "595.91.07"], ("gpu", "minimum_secure_drivers")),
        (["595.71.05", "0595.1.1"], ("gpu", "minimum_secure_drivers")),
        ([True], ("cpu", "required_pcrs")),
        (True, ("gpu", "count")),
        (True, ("gpu", "unsafe_ocsp_grace_hours")),
        ("96.00", ("gpu", "minimum_vbios")),
        ("0x100", ("cpu", "minimum_tcb", "snp")),
        (False, ("cpu", "require_secure_boot")),
        (False, ("gpu", "require_ocsp")),
        (0, ("gpu", "count")),
        (2, ("gpu", "count")),
        ("550", ("gpu", "minimum_driver")),
        (["96.00"], ("gpu", "allowed_vbios")),
        (["http://nras.example"], ("tokens", "nras_issuers")),
        (True, ("cpu", "debug")),
    ],
)
def test_invalid_values_are_refused(value, path):
    with pytest.raises(ValidationError):
        Policy.model_validate(_with(values(), value, *path))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"short_nonce": True}, ("unsafe_short_nonce",)),
        ({"skip_ocsp": True}, ("gpu.unsafe_skip_ocsp",)),
        ({"known_nonce": True}, ("gpu.unsafe_known_nonce",)),
        ({}, ()),
    ],
)
def test_overrides_are_listed_and_give_a_valid_policy(given, shown):
    loosened = policies.load("default").with_overrides(Overrides(**given))

    assert loosened.unsafe == shown
    again = loosened.with_overrides(Overrides())
    assert again == loosened
    assert Policy.model_validate(loosened.model_dump(mode="json")) == loosened


def test_gpu_overrides_are_not_listed_without_gpu_requirements():
    loosened = policies.load("cpu-only").with_overrides(Overrides(skip_ocsp=True, known_nonce=True))

    assert loosened == policies.load("cpu-only")


@given(st.integers(0, 255))
def test_an_svn_may_be_written_in_hex(number):
    document = _with(values(), f"{number:#04x}", "cpu", "minimum_tcb", "snp")

    cpu = Policy.model_validate(document).cpu
    assert cpu is not None
    assert cpu.minimum_tcb.snp == number


@pytest.mark.parametrize("number", [0, 0x1000B, 2**32 - 1])
def test_the_version_of_the_paravisor_may_be_written_in_hex(number):
    cpu = Policy.model_validate(_with(values(), f"{number:#x}", "cpu", "minimum_guest_svn")).cpu
    assert cpu is not None
    assert cpu.minimum_guest_svn == number


def test_the_schema_knows_every_field_and_refuses_others():
    made = policy.schema()

    assert set(made["properties"]) == {"$schema", *Policy.model_fields}
    assert made["additionalProperties"] is False


def test_problems_have_messages():
    with pytest.raises(ValidationError) as caught:
        Policy.model_validate(
            _with(_with(values(), 1, "colour"), True, "cpu", "require_secure_boot")
        )
    assert [each.message for each in policy.policy_problems(caught.value)] == [
        "is not a field here, `ccgpu schema policy` prints them all"
    ]
    with pytest.raises(ValidationError) as caught:
        Policy.model_validate(_with(values(), False, "cpu", "require_secure_boot"))
    assert "unsafe_allow_no_secure_boot" in policy.policy_problems(caught.value)[0].message
    twice = _with(values(), ["595.1.1", "0595.2.2"], "gpu", "minimum_secure_drivers")
    with pytest.raises(ValidationError) as caught:
        Policy.model_validate(twice)
    (found,) = policy.policy_problems(caught.value)
    assert found.path == ("gpu",)
    assert found.message == "minimum_secure_drivers names a driver branch twice"


def test_secure_boot_may_be_off_where_an_image_pins_what_boots():
    measured = values("measured")
    assert policies.load("measured").unsafe == ()
    with pytest.raises(ValidationError, match="require_image only"):
        Policy.model_validate(_with(measured, False, "cpu", "require_image"))
    both = _with(_with(measured, True, "cpu", "require_secure_boot"), False, "cpu", "require_image")
    assert Policy.model_validate(both).cpu is not None


@pytest.mark.parametrize("index", [4, 8, 9, 11, 12, 13, 14, 15])
def test_an_image_needs_every_pcr_that_it_pins(index):
    measured = values("measured")
    left = [each for each in measured["cpu"]["required_pcrs"] if each != index]
    with pytest.raises(ValidationError, match=f"require_image needs PCR {index} in required_pcrs"):
        Policy.model_validate(_with(measured, left, "cpu", "required_pcrs"))


def test_measured_asks_for_more_than_default():
    loosened = policy_comparison.loosened_fields(policies.load("measured"), policies.load())
    assert loosened == {}
    less = policy_comparison.loosened_fields(policies.load(), policies.load("measured"))
    assert {"cpu.require_image", "cpu.required_pcrs", "cpu.require_event_log"} == set(less)
