"""What `check` says is what the vault does: it says yes if, and only if, the key is released."""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from hypothesis import given, target
from hypothesis import strategies as st

from ccgpu.azure.context import AzureContext
from ccgpu.fakearm import FakeArm, Response
from ccgpu.fakeguest.evidence.tokens import ABSENT, MAA_ISSUER, TokenSigner, maa_signer
from ccgpu.workflows.key_vault.check import ReleaseCheck, check_release
from ccgpu.workflows.key_vault.claims_source import GivenFile
from support.cloud import make_cloud
from support.key_vaults import (
    ADDRESS,
    GuestToken,
    add_vault,
    ephemeral_jwk,
    key_client,
    release_policy,
)

_OTHER = "https://sharedweu.weu.attest.azure.net"
_AUTHORITIES = st.sampled_from(
    [MAA_ISSUER, MAA_ISSUER, f"{MAA_ISSUER}/", _OTHER, "https://evil.example"]
)
_TEE = "x-ms-isolation-tee"
# Pairs of a claim and a value; the first of each claim is what a good token has.
_CLAIMS = st.sampled_from(
    [
        *((f"{_TEE}.x-ms-attestation-type", one) for one in ("sevsnpvm", "SEVSNPVM", "tdxvm")),
        *((f"{_TEE}.x-ms-sevsnpvm-is-debuggable", one) for one in (False, True, 0, "false")),
        *((f"{_TEE}.x-ms-sevsnpvm-vmpl", one) for one in (0, 0.0, False, 1, "0")),
        *((f"{_TEE}.x-ms-runtime.vm-configuration.secure-boot", one) for one in (True, 1)),
        *(("secureboot", one) for one in (True, False)),
        ("x-ms-azurevm-vmid", "2DEDC52A-0000-4000-8000-000000000000"),
        ("x-ms-azurevm-vmid", "2dedc52a-0000-4000-8000-000000000000"),
        ("x-ms-attestation-type", "azurevm"),
        ("x-ms-sevsnpvm-is-debuggable", False),
        ("x-ms-runtime.keys", "x"),
        (f"{_TEE}..x", 1),
    ]
).map(lambda pair: {"claim": pair[0], "equals": pair[1]})


def _groups(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    lists = st.lists(inner, min_size=1, max_size=3)
    return st.tuples(st.sampled_from(["anyOf", "allOf"]), lists).map(lambda pair: dict([pair]))


_CONDITIONS = st.recursive(_CLAIMS, _groups, max_leaves=4)
_POLICIES = st.lists(
    st.tuples(_AUTHORITIES, _groups(_CONDITIONS)).map(lambda two: {"authority": two[0], **two[1]}),
    min_size=1,
    max_size=2,
).map(lambda listed: {"version": "1.0.0", "anyOf": listed})


@cache
def _foreign() -> TokenSigner:
    return maa_signer()


_CHANGES: list[dict[str, Any]] = [
    {"issuer": _OTHER},
    {"issuer": "https://evil.example"},
    {"signer": "foreign"},
    {"claims": {"exp": 1}},
    {"claims": {"exp": ABSENT}},
    {"claims": {"nbf": 4e9}},
    {"claims": {"secureboot": False}},
    {"claims": {_TEE: ABSENT}},
    {"tee": {"x-ms-attestation-type": ABSENT}},
    {"tee": {"x-ms-sevsnpvm-is-debuggable": True}},
    {"keys": []},
    {"keys": [ephemeral_jwk(key_ops=["sign"])]},
    {"keys": [ephemeral_jwk(key_ops=ABSENT, key_use=["enc"])]},
]
# Mostly good tokens, else nothing would ever be released.
_TOKENS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}), st.just({}), st.sampled_from(_CHANGES)
)


@cache
def _with_key() -> FakeArm:
    """A vault with a key, which every example gives another policy."""
    arm = FakeArm()
    add_vault(arm)
    policy = {"version": "1.0.0", "anyOf": [{"authority": "https://a", "allOf": [_ANY]}]}
    key_client(arm).create_key(
        "k", "RSA-HSM", exportable=True, release_policy=release_policy(policy)
    )
    return arm


_ANY = {"claim": "iss", "equals": "x"}


@cache
def _cloud(arm: FakeArm) -> AzureContext:
    return make_cloud(arm, Path("/nonexistent"))


def _token(arm: FakeArm, changes: dict[str, Any]) -> str:
    changes = {**changes, "signer": _foreign() if "signer" in changes else None}
    return GuestToken(arm.now(), **changes).signed()


def _says(arm: FakeArm, token: str) -> bool | None:
    asked = ReleaseCheck(ADDRESS, "k", token=GivenFile("token", token.encode()))
    return check_release(_cloud(arm), asked).releases


def _releases(arm: FakeArm, token: str) -> bool:
    try:
        return bool(key_client(arm).release_key("k", token).value)
    except HttpResponseError:
        return False


@pytest.mark.slow
@given(_POLICIES, _TOKENS, st.sampled_from([True, True, True, False]))
def test_check_says_yes_if_and_only_if_the_vault_releases(policy, changes, enabled):
    arm = _with_key()
    key_client(arm).update_key_properties(
        "k", enabled=enabled, release_policy=release_policy(policy)
    )
    token = _token(arm, changes)
    released = _releases(arm, token)
    target(float(released))
    assert _says(arm, token) is released


_STRICT = [
    {"claim": f"{_TEE}.x-ms-attestation-type", "equals": "sevsnpvm"},
    {"claim": f"{_TEE}.x-ms-sevsnpvm-is-debuggable", "equals": False},
    {"claim": "secureboot", "equals": True},
]


@pytest.mark.parametrize("changes", [{}, *_CHANGES], ids=lambda one: "-".join(one) or "good")
def test_so_it_is_with_each_token(changes):
    arm = _with_key()
    policy = {"version": "1.0.0", "anyOf": [{"authority": MAA_ISSUER, "allOf": _STRICT}]}
    key_client(arm).update_key_properties("k", enabled=True, release_policy=release_policy(policy))
    token = _token(arm, changes)
    good = changes in ({}, _CHANGES[-1])
    assert _says(arm, token) is _releases(arm, token) is good


def test_one_authoritys_conditions_are_not_for_anothers_token():
    arm = _with_key()
    unmet = {"claim": "secureboot", "equals": False}
    two = [{"authority": MAA_ISSUER, "allOf": [unmet]}, {"authority": _OTHER, "allOf": _STRICT}]
    policy = {"version": "1.0.0", "anyOf": two}
    key_client(arm).update_key_properties("k", enabled=True, release_policy=release_policy(policy))
    token = _token(arm, {})
    assert _says(arm, token) is _releases(arm, token) is False


@pytest.mark.parametrize("changes", [{"expires_on": -1}, {"expires_on": 60}, {"not_before": 60}])
def test_so_it_is_with_the_dates_of_a_key(changes):
    arm = FakeArm()
    add_vault(arm)
    now = datetime.fromtimestamp(arm.now(), UTC)
    dates: dict[str, Any] = {name: now + timedelta(seconds=one) for name, one in changes.items()}
    good = {"claim": "secureboot", "equals": True}
    policy = {"version": "1.0.0", "anyOf": [{"authority": MAA_ISSUER, "allOf": [good]}]}
    key_client(arm).create_key(
        "k", "RSA-HSM", exportable=True, release_policy=release_policy(policy), **dates
    )
    token = _token(arm, {})
    assert _says(arm, token) is _releases(arm, token) is (changes == {"expires_on": 60})


@pytest.mark.parametrize("status", [404, 503])
def test_without_the_key_set_of_the_issuer_nothing_is_known(status):
    arm = FakeArm()
    add_vault(arm)
    good = {"claim": "secureboot", "equals": True}
    policy = {"version": "1.0.0", "anyOf": [{"authority": MAA_ISSUER, "allOf": [good]}]}
    key_client(arm).create_key(
        "k", "RSA-HSM", exportable=True, release_policy=release_policy(policy)
    )
    seen = []

    def down(request):
        if not request.host.endswith("attest.azure.net"):
            return None
        seen.append(request)
        assert "Authorization" not in request.headers
        return Response(status)

    arm.faults.append(down)
    assert _says(arm, _token(arm, {})) is None
    assert len(seen) == (3 if status == 503 else 1)


def test_nobody_asks_for_the_keys_of_a_strange_issuer():
    arm = _with_key()
    before = len(arm.show()["requests"])
    assert _says(arm, _token(arm, {"issuer": "https://evil.example"})) is False
    hosts = [one["path"] for one in arm.show()["requests"][before:]]
    assert "/certs" not in hosts


def test_claims_without_a_token_are_never_a_yes():
    arm = _with_key()
    good = {"claim": "secureboot", "equals": True}
    policy = {"version": "1.0.0", "anyOf": [{"authority": MAA_ISSUER, "allOf": [good]}]}
    key_client(arm).update_key_properties("k", enabled=True, release_policy=release_policy(policy))
    claims = f'{{"iss": "{MAA_ISSUER}", "secureboot": true}}'
    assert _says(arm, claims) is None
    assert _says(arm, claims.replace("true", "false")) is False
