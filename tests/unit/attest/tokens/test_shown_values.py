"""A refusal shows what was expected and what was found, cut to a length that can be read."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ccgpu.attest.check import Check, Checks, Malformed
from ccgpu.attest.tokens import jwks, jws, nras, registered
from ccgpu.attest.tokens.jws import TokenTrust
from ccgpu.fakeguest.evidence import tokens
from ccgpu.fakeguest.evidence.tokens import ABSENT, UEID, NrasResponse, TokenSigner
from unit.attest.tokens.conftest import AT, NONCE

LONG = "x" * 200
OTHER_UEID = "1" * 47
FOREIGN = "https://evil.attest.azure.net/certs"


def _shown(malformed: Malformed) -> tuple[str, object, object]:
    return malformed.rule.id, malformed.expected, malformed.actual


def _set_refusal(*keys: object) -> tuple[str, object, object]:
    with pytest.raises(Malformed) as caught:
        jwks.parse(json.dumps({"keys": list(keys)}).encode())
    return _shown(caught.value)


def _key_refusal(
    jwk: tokens.Json, algorithm: jwks.Algorithm = "ES384"
) -> tuple[str, object, object]:
    with pytest.raises(Malformed) as caught:
        jwks.signing_key(jwk, algorithm)
    return _shown(caught.value)


def test_a_key_set_says_how_many_keys_it_has_or_what_it_is_instead():
    expected = "1 to 128 keys"
    many = [{"kid": str(index)} for index in range(129)]

    assert _set_refusal() == ("token.jwks.keys", expected, "0 keys")
    assert _set_refusal(*many) == ("token.jwks.keys", expected, "129 keys")
    with pytest.raises(Malformed) as caught:
        jwks.parse(b'{"keys":"a"}')
    assert caught.value.actual == "str"


def test_a_key_set_may_have_a_mebibyte():
    around = len(b'{"keys":""}')
    for size, reason in ((1 << 20, "token.jwks.keys"), ((1 << 20) + 1, "json.size")):
        with pytest.raises(Malformed) as caught:
            jwks.parse(b'{"keys":"' + b"x" * (size - around) + b'"}')
        assert caught.value.rule.id == reason


def test_a_secret_is_named_and_not_shown():
    key = {"kid": "a", "kty": "RSA", "q": "c2VjcmV0", "d": "c2VjcmV0"}

    assert _set_refusal(key) == ("token.jwks.private", "public keys", "a has d, q")


def test_an_id_that_is_none_is_shown_cut():
    expected = "a string of 1 to 256 characters"

    assert _set_refusal({"kid": 77}) == ("token.jwks.kid", expected, "77")
    assert _set_refusal({"kid": "k" * 300}) == ("token.jwks.kid", expected, "k" * 100)
    assert _set_refusal({"kty": "EC"}) == ("token.jwks.kid", expected, None)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"kty": "oct"}, ("token.key.type", "EC", "oct")),
        ({"alg": "ES256"}, ("token.key.use", "alg ES384", "ES256")),
        ({"use": "enc"}, ("token.key.use", "use sig", "enc")),
        ({"key_ops": ["sign"]}, ("token.key.use", "key_ops with verify", "['sign']")),
        ({"crv": "P-256"}, ("token.key.curve", "P-384", "P-256")),
        ({"crv": ABSENT}, ("token.key.curve", "P-384", None)),
        ({"x": "="}, ("token.key.encoding", "x in base64url", "=")),
        ({"y": ABSENT}, ("token.key.encoding", "y in base64url", None)),
        ({"y": "AAAA"}, ("token.key.encoding", "y of 48 bytes", "3 bytes")),
        ({"x5c": ["MA=="] * 9}, ("token.key.certificate", "1 to 8 certificates", "9 certificates")),
        ({"x5c": "MA=="}, ("token.key.certificate", "1 to 8 certificates", "str")),
    ],
)
def test_the_member_of_a_key_that_is_wrong_is_shown(nras_key, changes, shown):
    assert _key_refusal(nras_key.jwk(**changes)) == shown


def test_a_certificate_of_another_kind_of_key_is_told_from_its_curve(nras_key, maa_key):
    p256 = TokenSigner(ec.generate_private_key(ec.SECP256R1()), "a")
    for key, stranger, shown in (
        (nras_key, p256, ("token.key.curve", "P-384", "secp256r1")),
        (nras_key, maa_key, ("token.key.type", "EC", "another key")),
        (maa_key, nras_key, ("token.key.type", "RSA", "another key")),
    ):
        jwk = key.jwk(x5c=tokens.x5c_list(stranger.certificate()))
        assert _key_refusal(jwk, key.algorithm) == shown


def test_a_certificate_may_have_32_kibibytes_of_base64(nras_key):
    expected = "text of at most 32768 characters"

    assert _key_refusal(nras_key.jwk(x5c=["A" * 32769]))[1] == expected
    assert _key_refusal(nras_key.jwk(x5c=["A" * 32768]))[1] != expected


def test_a_key_that_is_only_a_certificate_has_its_dates(answer, nras_key, nras_refusals):
    before = tokens.x5c_list(nras_key.certificate(end=AT.replace(minute=0)))
    jwk = nras_key.jwk(x5c=before, x=ABSENT, y=ABSENT)

    assert nras_refusals(answer, jwks=tokens.key_set(jwk)) == {"token.key.dates"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("e30.e30", ("3 parts", "it: 2")),
        (f"e30.{'*' * 50}.", ("base64url without padding", f"it: {'*' * 20}")),
        ("eyJhIjoxfR.e30.", ("no bits behind the last byte", "it: …oxfR")),
    ],
)
def test_the_part_of_a_token_that_is_wrong_is_shown_cut(text, shown):
    with pytest.raises(Malformed) as caught:
        jws.parse(text.encode(), "it")
    assert _shown(caught.value) == ("token.form", *shown)


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        (1, "https://s0.attest.azure.net/certs"),
        (4, ", ".join(f"https://s{index}.attest.azure.net/certs" for index in range(4))),
        (5, "one of 5 addresses"),
    ],
)
def test_up_to_four_addresses_of_keys_are_listed(nras_key, regions, expected):
    issuers = [f"https://s{index}.attest.azure.net" for index in range(regions)]
    checks = Checks()
    token = jws.parse(nras_key.token({}, jku=FOREIGN).encode(), "it")
    jws.verify(token, TokenTrust("ES384", {}, issuers, AT), checks)

    (made,) = [made for made in checks.made if made.id == "token.header.jku"]
    assert (made.ok, made.expected, made.actual) == (False, expected, f"it: {FOREIGN}")


@pytest.mark.parametrize(
    ("accepted", "shown"),
    [((), "none"), ("a", "a"), ("abcd", "a, b, c, d"), ("abcde", "one of 5 listed")],
)
def test_up_to_four_accepted_issuers_are_listed(accepted, shown):
    assert registered.format_accepted(tuple(accepted)) == shown


def test_a_time_may_be_any_up_to_the_last_day_of_the_calendar(token, maa_refusals):
    last = 253402214400  # 9999-12-31T00:00:00Z
    assert not maa_refusals(replace(token, claims={"exp": last}))
    assert maa_refusals(replace(token, claims={"exp": last + 1})) == {"token.time.form"}


def test_an_answer_may_name_the_address_of_its_own_issuers_keys_alone(answer, nras_refusals):
    own = {"jku": "https://nras.attestation.nvidia.com/.well-known/jwks.json"}

    assert not nras_refusals(replace(answer, header=own))
    assert nras_refusals(replace(answer, header={"jku": FOREIGN})) == {"token.header.jku"}


def _made(answer: NrasResponse | bytes, key: TokenSigner, gpus: int, evidence=None) -> list[Check]:
    checks = Checks()
    nras.verify(
        answer if isinstance(answer, bytes) else answer.signed(),
        tokens.key_set(key.jwk()),
        AT,
        checks,
        nonce=NONCE,
        issuers=(tokens.NRAS_ISSUER,),
        gpus=gpus,
        evidence=evidence,
    )
    return list(checks.made)


def _failed(checks: list[Check]) -> list[tuple[str, str]]:
    return [(made.id, made.actual) for made in checks if not made.ok]


def test_names_of_other_submodules_are_shown_cut(answer, nras_key):
    named = replace(answer, overall={"submods": {f"GPU-0{LONG}": None}})

    assert _failed(_made(named, nras_key, 1)) == [
        ("nras.submods.names", f"overall: GPU-0{LONG[:35]}")
    ]


def test_the_digest_of_a_submodule_that_is_none_is_shown(answer, nras_key):
    named = replace(answer, overall={"submods": {"GPU-0": ["JWT", 7]}})

    assert _failed(_made(named, nras_key, 1)) == [("nras.submods.form", "GPU-0: JWT, 7")]


def test_each_gpu_is_compared_after_one_that_cannot_be(answer, nras_key):
    two = replace(answer, ueids=(UEID, OTHER_UEID))
    named = {"GPU-1": ["DIGEST", ["SHA-256", "00"]]}
    unnamed = _failed(_made(replace(two, overall={"submods": named}), nras_key, 2))
    assert unnamed == [
        ("nras.submods.names", "overall: GPU-1"),
        ("nras.submods.digest", "GPU-1: 00"),
    ]

    local = {OTHER_UEID: nras.GpuVersions("550.90.07", "96.00.9F.00.04")}
    unknown = _failed(_made(two, nras_key, 2, local))
    assert [id_ for id_, _ in unknown] == ["nras.gpus.other", "nras.gpus.driver"]
    assert unknown[1][1] == "GPU-1: 595.71.05"


def test_a_warning_of_the_service_is_shown_up_to_500_characters(answer, nras_key):
    for size, shown in ((499, 499), (500, 500), (501, 500), (900, 500)):
        warned = replace(answer, gpu={"x-nvidia-attestation-warning": "w" * size})
        outcome = nras.verify(
            warned.signed(),
            tokens.key_set(nras_key.jwk()),
            AT,
            Checks(),
            nonce=NONCE,
            issuers=(tokens.NRAS_ISSUER,),
            gpus=1,
        )
        assert outcome.value.warnings == (f"GPU-0: {'w' * shown}",)
