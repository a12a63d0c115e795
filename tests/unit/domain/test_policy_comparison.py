"""What a policy loosens: every field has a direction, and asking for less in any is told."""

from functools import cache
from typing import Any

import pytest
from pydantic import BaseModel

from ccgpu.domain.policy import Policy
from ccgpu.domain.policy_comparison import DIRECTIONS, loosened_fields
from ccgpu.domain.workload_policy import WorkloadPolicy
from ccgpu.store import policies


def _paths(model: BaseModel, prefix: str = ""):
    for field in type(model).model_fields:
        value = getattr(model, field)
        if isinstance(value, BaseModel):
            yield from _paths(value, f"{prefix}{field}.")
        else:
            yield f"{prefix}{field}"


def _with(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    head, _, rest = path.partition(".")
    return {**document, head: _with(document[head], rest, value) if rest else value}


@cache
def _default() -> Policy:
    return policies.load("default")


def _change_field(path: str, value: object, base: Policy | None = None) -> Policy:
    document = (base or _default()).model_dump(mode="json", exclude_none=True)
    for name, each in ((path, value), *_OTHERS.get(path, {}).items()):
        document = _with(document, name, each)
    return Policy.model_validate(document)


# What has to be changed with a field.
_OTHERS: dict[str, dict[str, object]] = {
    "cpu.require_secure_boot": {"cpu.unsafe_allow_no_secure_boot": True},
    "gpu.require_ocsp": {"gpu.unsafe_skip_ocsp": True},
}


def test_every_field_has_a_direction():
    decided = {path for path in _paths(_default()) if ".unsafe_" not in f".{path}"} - {"name"}
    of_workloads = {f"workloads.{field}" for field in WorkloadPolicy.model_fields}

    assert decided | of_workloads == set(DIRECTIONS)


def test_a_policy_is_no_looser_than_itself_and_strict_no_looser_than_default():
    assert loosened_fields(_default(), _default()) == {}
    assert loosened_fields(policies.load("strict"), _default()) == {}


def test_default_is_looser_than_strict_in_the_documented_fields():
    assert set(loosened_fields(_default(), policies.load("strict"))) == {
        "cpu.minimum_tcb.snp",
        "cpu.minimum_tcb.microcode",
        "cpu.required_mitigations",
        "cpu.minimum_guest_svn",
        "cpu.require_event_log",
        "cpu.require_crl",
        "cpu.require_pins",
    }


def test_missing_requirements_are_named():
    assert set(loosened_fields(policies.load("cpu-only"), _default())) == {"requires", "binding"}


LOOSER = [
    ("binding", "nonce"),
    ("unsafe_short_nonce", True),
    ("unsafe_trust_bundle_identity", True),
    ("unsafe_trust_bundle_nonce", True),
    ("cpu.products", ["Genoa", "Milan"]),
    ("max_age", "1441m"),
    ("max_age", "2d"),
    ("max_age", "none"),
    ("cpu.products", ["Turin"]),
    ("cpu.minimum_tcb.bootloader", 9),
    ("cpu.minimum_tcb.snp", 0x16),
    ("cpu.minimum_tcb.microcode", 0),
    ("cpu.unsafe_allow_provisional_firmware", True),
    ("cpu.require_alias_check", False),
    ("cpu.id_key_digests", ["00" * 48]),
    ("cpu.minimum_guest_svn", 0x1000A),
    ("cpu.minimum_guest_svn", 0),
    ("cpu.require_secure_boot", False),
    ("cpu.required_pcrs", [0, 1, 2, 3, 4, 5, 6]),
    ("gpu.minimum_driver", "550.127.04"),
    ("gpu.minimum_driver", "550.1"),
    ("gpu.minimum_secure_drivers", []),
    ("gpu.minimum_secure_drivers", ["535.309.01", "580.159.03", "595.71.04"]),
    ("gpu.minimum_secure_drivers", ["535.309.01", "580.159.03"]),
    ("gpu.minimum_secure_drivers", ["550.127.05", "595.71.05"]),
    ("gpu.minimum_vbios", "96.00.5D.FF.FF"),
    ("gpu.require_state", False),
    ("gpu.require_ocsp", False),
    ("gpu.unsafe_known_nonce", True),
    ("gpu.unsafe_ocsp_grace_hours", 1),
    ("gpu.unsafe_allow_hold", True),
    ("tokens.nras_issuers", ["https://nras.attestation.nvidia.com", "https://nras.example"]),
    ("tokens.maa_issuers", ["https://mine.weu.attest.azure.net"]),
]
NO_LOOSER = [
    ("name", "mine"),
    ("max_age", "1d"),
    ("max_age", "90m"),
    ("cpu.minimum_tcb.snp", 0x1B),
    ("cpu.required_mitigations", 7),
    ("cpu.minimum_guest_svn", 0x1000D),
    ("cpu.require_event_log", True),
    ("cpu.require_crl", True),
    ("cpu.require_pins", True),
    ("cpu.required_pcrs", [0, 1, 2, 3, 4, 5, 6, 7, 11]),
    ("gpu.minimum_driver", "595.71.05"),
    ("gpu.minimum_secure_drivers", ["595.71.05"]),
    ("gpu.minimum_secure_drivers", ["535.309.01", "580.159.03", "595.71.05", "610.1"]),
    ("gpu.minimum_secure_drivers", ["580.200", "600.1"]),
    ("gpu.minimum_vbios", "96.00.9F.00.04"),
    ("gpu.allowed_vbios", ["96.00.9F.00.04"]),
    ("gpu.denied_vbios", ["96.00.9F.00.04"]),
    ("tokens.maa_issuers", []),
    ("tokens.require_maa", True),
]


@pytest.mark.parametrize(("path", "value"), LOOSER, ids=str)
def test_looser_requirements_are_named_by_field(path, value):
    found = loosened_fields(_change_field(path, value), _default())

    assert set(found) == {path, *_OTHERS.get(path, {})}


@pytest.mark.parametrize(("path", "value"), NO_LOOSER, ids=str)
def test_equal_or_stricter_requirements_are_not_named(path, value):
    assert loosened_fields(_change_field(path, value), _default()) == {}


@pytest.mark.parametrize(
    ("path", "base", "own", "looser"),
    [
        ("cpu.required_mitigations", 0x6, 0x2, True),
        ("cpu.required_mitigations", 0x6, 0x9, True),
        ("cpu.required_mitigations", 0x6, 0xE, False),
        ("cpu.minimum_tcb.tee", 1, 0, True),
        ("gpu.allowed_vbios", ["96.00.9F.00.04"], [], True),
        ("gpu.allowed_vbios", ["96.00.9F.00.04"], ["96.00.9F.00.05"], True),
        ("gpu.denied_vbios", ["96.00.9F.00.04"], [], True),
        ("gpu.denied_vbios", ["96.00.9F.00.04"], ["96.00.9F.00.04", "96.00.9F.00.05"], False),
        ("gpu.minimum_secure_drivers", [], ["1.1"], False),
        ("max_age", "none", "7d", False),
    ],
)
def test_policies_are_compared_with_any_baseline(path, base, own, looser):
    assert (path in loosened_fields(_change_field(path, own), _change_field(path, base))) is looser


def test_a_driver_below_the_floor_need_not_be_denied():
    assert loosened_fields(_change_field("gpu.denied_drivers", []), _default()) == {}
    lowered = _change_field("gpu.minimum_driver", "550.90.07")
    found = loosened_fields(_change_field("gpu.denied_drivers", ["550.113"], lowered), _default())
    assert set(found) == {"gpu.minimum_driver", "gpu.denied_drivers"}


def test_both_values_are_written_as_in_a_policy():
    policy = _change_field("cpu.minimum_guest_svn", 0x10009)
    assert loosened_fields(policy, _default()) == {
        "cpu.minimum_guest_svn": "0x10009 instead of 0x1000b"
    }
    many = _change_field("tokens.maa_issuers", ["https://mine.weu.attest.azure.net"])
    assert loosened_fields(many, _default())["tokens.maa_issuers"].endswith(" and 55 more")
    none = _change_field("gpu.minimum_secure_drivers", [])
    assert loosened_fields(none, _default())["gpu.minimum_secure_drivers"].startswith(
        "none instead"
    )
    switched = _change_field("gpu.require_state", False)
    assert loosened_fields(switched, _default()) == {"gpu.require_state": "false instead of true"}
