"""The token that a key is released to: everything that Key Vault would refuse is named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ccgpu.attest.check import Checks
from ccgpu.attest.tokens import issuers, jws, release_token
from ccgpu.fakeguest.evidence.tokens import ABSENT, MAA_ISSUER, NRAS_ISSUER, key_set, maa_signer
from ccgpu.store import policies
from support.cloud import vendors
from support.key_vaults import GuestToken, ephemeral_jwk

_AT = datetime(2026, 11, 30, tzinfo=UTC)
_GOOD = GuestToken(_AT.timestamp())


def _failed(token=_GOOD, *, authorities=(MAA_ISSUER,), at=_AT, keys=None):
    checks = Checks()
    parsed = jws.parse(token.signed().encode(), "MAA")
    release_token.verify(parsed, keys or vendors().maa_key_set(), authorities, at, checks)
    assert checks.made
    return {one.id for one in checks.made if not one.ok}


def test_a_good_token_holds():
    assert _failed() == set()
    assert (
        _failed(authorities=("https://sharedweu.weu.attest.azure.net", f"{MAA_ISSUER}/")) == set()
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signer": maa_signer()}, "token.signature"),
        ({"issuer": "https://sharedweu.weu.attest.azure.net"}, "token.iss"),
        ({"claims": {"exp": 1}}, "token.exp.past"),
        ({"claims": {"exp": ABSENT}}, "token.exp.absent"),
        ({"claims": {"nbf": 4e9}}, "token.nbf.future"),
        ({"claims": {"x-ms-runtime": ABSENT}}, "maa.release.key"),
        ({"claims": {"x-ms-runtime": {"keys": "x"}}}, "maa.release.key"),
        ({"keys": []}, "maa.release.key"),
        ({"keys": ["x", ephemeral_jwk(kty="EC")]}, "maa.release.key"),
        ({"keys": [ephemeral_jwk(key_ops=["sign"])]}, "maa.release.key"),
        ({"keys": [ephemeral_jwk(key_ops="encrypt")]}, "maa.release.key"),
        ({"keys": [ephemeral_jwk(key_ops=ABSENT, use="sig")]}, "maa.release.key"),
    ],
)
def test_what_key_vault_would_refuse_is_named(change, reason):
    failed = _failed(replace(_GOOD, **change))
    assert reason in failed
    assert failed <= {reason, "token.header.jku"}


@pytest.mark.parametrize(
    "jwk",
    [
        ephemeral_jwk(),
        ephemeral_jwk(key_ops=ABSENT, use="enc"),
        ephemeral_jwk(key_ops=ABSENT, key_use="enc"),
        ephemeral_jwk(key_ops=ABSENT, key_use=["enc"]),
    ],
)
def test_a_key_for_encryption_is_told_by_use_or_operations(jwk):
    assert _failed(replace(_GOOD, keys=[ephemeral_jwk(key_ops=["sign"]), jwk])) == set()


def test_a_token_is_of_its_time():
    assert _failed(at=_AT + timedelta(hours=9)) == {"token.exp.past"}
    assert "token.nbf.future" in _failed(at=_AT - timedelta(hours=1))


@pytest.mark.parametrize("authorities", [(), ("https://evil.example",), (NRAS_ISSUER,)])
def test_a_policy_without_a_provider_of_microsofts_is_named(authorities):
    failed = _failed(authorities=authorities)
    assert {"maa.release.authority", "token.iss"} <= failed


def test_a_key_set_that_cannot_be_read_is_named():
    assert "json.syntax" in _failed(keys=b"{")
    assert "token.kid.unknown" in _failed(keys=key_set(maa_signer().jwk(kid="other")))


@pytest.mark.parametrize(
    ("issuer", "address"),
    [
        (MAA_ISSUER, f"{MAA_ISSUER}/certs"),
        (NRAS_ISSUER, None),
        ("https://evil.example", None),
        (7, None),
        (ABSENT, None),
    ],
)
def test_the_address_of_the_key_set_is_of_microsofts_service_alone(issuer, address):
    token = jws.parse(replace(_GOOD, claims={"iss": issuer}).signed().encode(), "MAA")
    assert release_token.key_set_address(token) == address


@pytest.mark.parametrize(
    ("region", "issuer"),
    [
        ("eastus2", "https://sharedeus2.eus2.attest.azure.net"),
        ("West Europe", "https://sharedweu.weu.attest.azure.net"),
        ("usgovvirginia", "https://sharedugv.ugv.attest.azure.us"),
        ("usgovtexas", "https://shareduga.uga.attest.azure.us"),
        ("chinaeast", None),
        ("", None),
    ],
)
def test_the_shared_provider_of_a_region(region, issuer):
    assert issuers.shared_issuer(region) == issuer


def test_every_shared_provider_is_one_that_the_strict_policy_accepts():
    listed = set(policies.load("strict").tokens.maa_issuers)
    regions = {*issuers._SHORT_NAMES, *issuers._SHORT_NAMES_US}
    assert {issuers.shared_issuer(one) for one in regions} == listed
