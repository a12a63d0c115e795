"""A key set is unambiguous and public, and a key that is used is strong and meant for it."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Malformed
from ccgpu.attest.tokens import issuers, jwks
from ccgpu.fakeguest.evidence import tokens
from ccgpu.fakeguest.evidence.tokens import ABSENT, TokenSigner, jwk_number

_LONGEST = "https://aa." + "a." * 117 + "attest.azure.net"  # a host of 253 characters


def set_refusal(data: bytes) -> str | None:
    try:
        jwks.parse(data)
    except Malformed as malformed:
        return malformed.rule.id
    return None


def key_refusal(jwk: tokens.Json, algorithm: jwks.Algorithm) -> str | None:
    try:
        jwks.signing_key(jwk, algorithm)
    except Malformed as malformed:
        return malformed.rule.id
    return None


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ([{"kid": "a"}, {"kid": "b"}], None),
        ([{"kid": "a"}] * 2, "token.jwks.duplicate"),
        ([], "token.jwks.keys"),
        (None, "token.jwks.keys"),
        ({"a": {"kid": "a"}}, "token.jwks.keys"),
        (["a"], "token.jwks.keys"),
        ([{"kid": str(index)} for index in range(128)], None),
        ([{"kid": str(index)} for index in range(129)], "token.jwks.keys"),
        ([{"kty": "EC"}], "token.jwks.kid"),
        ([{"kid": ""}], "token.jwks.kid"),
        ([{"kid": 1}], "token.jwks.kid"),
        ([{"kid": None}], "token.jwks.kid"),
        ([{"kid": "k" * 256}], None),
        ([{"kid": "k" * 257}], "token.jwks.kid"),
        ([{"kid": "a"}, {"kid": "b", "kty": "RSA", "qi": "AA"}], "token.jwks.private"),
        # RFC 7518, 6.2.2, 6.3.2 and 6.4.1: every private member.
        *(
            ([{"kid": "a", "kty": "RSA", "n": "AA", secret: "AA"}], "token.jwks.private")
            for secret in ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
        ),
    ],
)
def test_a_set_names_every_key_once_and_holds_no_secret(keys, reason):
    assert set_refusal(json.dumps({"keys": keys}).encode()) == reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"keys":"' + b"x" * 1024 * 1024 + b'"}', "json.size"),
        (b'{"keys":[{"kid":"a","kid":"b"}]}', "json.duplicate"),
        (b"{}", "token.jwks.keys"),
        (b"", "json.syntax"),
    ],
)
def test_a_set_is_json_of_a_sane_size(data, reason):
    assert set_refusal(data) == reason


@given(st.binary(max_size=300))
def test_any_bytes_are_a_set_or_malformed(data):
    assert set_refusal(data) != ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"alg": ABSENT, "use": ABSENT}, None),
        ({"key_ops": ["verify"]}, None),
        ({"kty": "RSA"}, "token.key.type"),
        ({"kty": ABSENT}, "token.key.type"),
        ({"kty": ["EC"]}, "token.key.type"),
        ({"alg": "ES256"}, "token.key.use"),
        ({"alg": None}, "token.key.use"),
        ({"use": "enc"}, "token.key.use"),
        ({"key_ops": ["sign"]}, "token.key.use"),
        ({"key_ops": "verify"}, "token.key.use"),
        ({"crv": "P-256"}, "token.key.curve"),
        ({"crv": ABSENT}, "token.key.curve"),
        ({"x": ABSENT}, "token.key.encoding"),
        ({"y": 1}, "token.key.encoding"),
        ({"x": ABSENT, "y": ABSENT}, "token.key.encoding"),
        ({"x": f"{jwk_number(1, 48)}****"}, "token.key.encoding"),
        ({"x": "="}, "token.key.encoding"),
        ({"x": "A"}, "token.key.encoding"),
        ({"x": jwk_number(1, 47)}, "token.key.encoding"),
        ({"x": jwk_number(1, 49)}, "token.key.encoding"),
        ({"x": jwk_number(1, 48)}, "token.key.point"),
        ({"x": jwk_number(0, 48), "y": jwk_number(0, 48)}, "token.key.point"),
        ({"x5c": ["!"]}, "token.key.certificate"),
        ({"x5c": []}, "token.key.certificate"),
        ({"x5c": ["MA=="] * 9}, "token.key.certificate"),
        ({"x5c": "MA=="}, "token.key.certificate"),
        ({"x5c": [1]}, "token.key.certificate"),
        ({"x5c": ["MA=="]}, "token.key.certificate"),
        ({"x5c": ["A" * 40_000]}, "token.key.certificate"),
        ({"x5c": None}, "token.key.certificate"),
    ],
)
def test_a_key_for_es384_is_one_of_p384(nras_key, changes, reason):
    assert key_refusal(nras_key.jwk(**changes), "ES384") == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"kty": "EC"}, "token.key.type"),
        ({"n": ABSENT}, "token.key.encoding"),
        ({"n": ABSENT, "e": ABSENT}, "token.key.encoding"),
        ({"n": "A" * 1404}, "token.key.encoding"),
        ({"n": jwk_number((1 << 2047) - 1)}, "token.key.size"),
        ({"n": jwk_number((1 << 2047) + 1)}, None),
        ({"n": jwk_number((1 << 8192) - 1)}, None),
        ({"n": jwk_number((1 << 8192) + 1)}, "token.key.size"),
        ({"n": jwk_number(1 << 2047)}, "token.key.modulus"),
        ({"e": jwk_number(1)}, "token.key.exponent"),
        ({"e": jwk_number(3)}, "token.key.exponent"),
        ({"e": jwk_number(0xFFFF)}, "token.key.exponent"),
        ({"e": jwk_number(65536)}, "token.key.exponent"),
        ({"e": jwk_number(65538)}, "token.key.exponent"),
        ({"e": jwk_number((1 << 32) + 1)}, "token.key.exponent"),
        ({"e": jwk_number((1 << 32) - 1)}, None),
    ],
)
def test_a_key_for_rs256_is_strong(maa_key, changes, reason):
    assert key_refusal(maa_key.jwk(**changes), "RS256") == reason


def test_a_key_may_be_given_by_its_certificate_alone(nras_key, maa_key):
    for key, absent in ((nras_key, "crv x y"), (maa_key, "n e")):
        alone = key.jwk(
            x5c=tokens.x5c_list(key.certificate()), **dict.fromkeys(absent.split(), ABSENT)
        )
        assert jwks.signing_key(alone, key.algorithm).public == key.key.public_key()


def test_a_key_is_stated_in_whole_or_not_at_all(nras_key, maa_key):
    for key, absent in ((nras_key, "xy"), (nras_key, "yx"), (maa_key, "ne"), (maa_key, "en")):
        jwk = key.jwk(x5c=tokens.x5c_list(key.certificate()), **{absent[0]: ABSENT})
        assert key_refusal(jwk, key.algorithm) == "token.key.encoding"


def test_the_certificate_is_base64_in_one_piece_and_the_first_of_few(nras_key):
    text = tokens.x5c_list(nras_key.certificate())[0]
    for chain, reason in (
        ([text] + ["MA=="] * 7, None),
        ([text] + ["MA=="] * 8, "token.key.certificate"),
        ([f"{text[:64]}\n{text[64:]}"], "token.key.certificate"),
        (["MA==", text], "token.key.certificate"),
    ):
        assert key_refusal(nras_key.jwk(x5c=chain), "ES384") == reason


def test_what_the_certificate_adds_to_the_key_is_its_dates(nras_key):
    bare = jwks.signing_key(nras_key.jwk(), "ES384")
    found = jwks.signing_key(
        nras_key.jwk(x5c=tokens.x5c_list(nras_key.certificate(), b"ignored")), "ES384"
    )
    assert bare.certificate is None
    assert found.certificate is not None
    assert found.certificate.not_valid_before_utc == tokens.ISSUED


def test_the_certificate_is_of_the_key(nras_key, maa_key):
    for key, stranger in (
        (nras_key, tokens.nras_signer()),
        (maa_key, tokens.maa_signer()),
    ):
        foreign = key.jwk(x5c=tokens.x5c_list(stranger.certificate()))
        assert key_refusal(foreign, key.algorithm) == "token.key.other"


def test_a_certificate_of_another_kind_of_key_is_refused(nras_key, maa_key):
    p256 = TokenSigner(ec.generate_private_key(ec.SECP256R1()), "a")
    weak = TokenSigner(rsa.generate_private_key(65537, 1024), "a")
    for key, certificate, reason in (
        (nras_key, p256.certificate(), "token.key.curve"),
        (nras_key, maa_key.certificate(), "token.key.type"),
        (maa_key, nras_key.certificate(), "token.key.type"),
        (maa_key, weak.certificate(), "token.key.size"),
    ):
        for absent in ({}, {"n": ABSENT, "e": ABSENT, "x": ABSENT, "y": ABSENT}):
            jwk = key.jwk(x5c=tokens.x5c_list(certificate), **absent)
            assert key_refusal(jwk, key.algorithm) == reason


@pytest.mark.parametrize(
    ("at", "reasons"),
    [
        (tokens.ISSUED, set()),
        (tokens.ISSUED + timedelta(hours=48), set()),
        (tokens.ISSUED - timedelta(seconds=1), {"token.key.dates"}),
        (tokens.ISSUED + timedelta(hours=48, seconds=1), {"token.key.dates"}),
    ],
)
def test_the_certificate_is_valid_at_the_time(answer, nras_key, nras_refusals, at, reasons):
    jwk = nras_key.jwk(x5c=tokens.x5c_list(nras_key.certificate()))
    shifted = replace(answer, issued=at)
    assert nras_refusals(shifted, jwks=tokens.key_set(jwk), at=at) == reasons


def test_an_unreadable_key_set_is_the_only_reason(answer, token, nras_refusals, maa_refusals):
    assert nras_refusals(answer, jwks=b"{}") == {"token.jwks.keys"}
    assert maa_refusals(token, jwks=b"{}") == {"token.jwks.keys"}


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        (
            "https://nras.attestation.nvidia.com",
            "https://nras.attestation.nvidia.com/.well-known/jwks.json",
        ),
        (
            "https://sharedweu.weu.attest.azure.net",
            "https://sharedweu.weu.attest.azure.net/certs",
        ),
        (
            "https://my-provider.eus2.test.attest.azure.net",
            "https://my-provider.eus2.test.attest.azure.net/certs",
        ),
        (
            "https://sharedugv.ugv.attest.azure.us",
            "https://sharedugv.ugv.attest.azure.us/certs",
        ),
        (_LONGEST, f"{_LONGEST}/certs"),
    ],
)
def test_keys_are_where_the_issuer_is(issuer, url):
    assert issuers.jwks_url(issuer) == url


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "http://nras.attestation.nvidia.com",
        "https://nras.attestation.nvidia.com/",
        "https://nras.attestation.nvidia.com:443",
        "https://nras.attestation.nvidia.com@evil.example",
        "https://evil.example",
        "http://sharedweu.weu.attest.azure.net",
        "https://attest.azure.net",
        "https://sharedweu.weu.attest.azure.net/",
        "https://sharedweu.weu.attest.azure.net/certs?x",
        "https://sharedweu.weu.attest.azure.net#",
        "https://sharedweu.weu.attest.azure.net\n",
        "https://a@b.attest.azure.net",
        "https://sharedugv.ugv.attest.azure.cn",
        "https://attest.azure.us",
        "https://evil.example/a.attest.azure.net",
        "https://evilattest.azure.net",
        "https://a..attest.azure.net",
        "https://-a.attest.azure.net",
        "https://SHAREDWEU.attest.azure.net",
        "https://sharedweu.attest.azure.net.evil.example",
        _LONGEST.replace("https://", "https://a"),
        "file:///etc/passwd",
    ],
)
def test_keys_are_fetched_from_no_other_place(issuer):
    assert issuers.jwks_url(issuer) is None


@given(st.text())
def test_any_issuer_has_an_address_or_none(issuer):
    url = issuers.jwks_url(issuer)
    assert url is None or url.startswith("https://")
