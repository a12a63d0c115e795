"""A token is signed by the key it names, in the service's one way, and leads to no other key."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Checks, Malformed
from ccgpu.attest.tokens import jwks, jws
from ccgpu.attest.tokens.jws import TokenTrust
from ccgpu.fakeguest.evidence import hcl, tokens
from ccgpu.fakeguest.evidence.tokens import ABSENT, TokenSigner, compact_token
from support import tampering
from support.slow import mostly_slow
from unit.attest.tokens.conftest import AT

CLAIMS = {"iss": tokens.NRAS_ISSUER, "exp": 1}
ISSUERS = (tokens.NRAS_ISSUER, tokens.MAA_ISSUER)
FOREIGN = "https://evil.attest.azure.net/certs"


def refusals(token: str | bytes, *keys: tokens.Json, algorithm: jwks.Algorithm = "ES384"):
    checks = Checks()
    data = token.encode() if isinstance(token, str) else token
    try:
        found = jws.parse(data, "it")
    except Malformed as malformed:
        return {malformed.rule.id}
    jws.verify(found, TokenTrust(algorithm, jwks.parse(tokens.key_set(*keys)), ISSUERS, AT), checks)
    return {check.id for check in checks.made if not check.ok}


@pytest.fixture(scope="session")
def p256() -> TokenSigner:
    return TokenSigner(ec.generate_private_key(ec.SECP256R1()), tokens.NRAS_KID)


def test_a_valid_signature_is_accepted(nras_key, maa_key):
    assert not refusals(nras_key.token(CLAIMS), nras_key.jwk())
    assert not refusals(maa_key.token(CLAIMS), maa_key.jwk(), algorithm="RS256")


@pytest.mark.parametrize(
    ("alg", "reason"),
    [
        ("none", "token.alg.none"),
        ("None", "token.alg.none"),
        ("nOnE", "token.alg.none"),
        (" none", "token.alg.none"),
        ("", "token.alg.empty"),
        (None, "token.alg.absent"),
        (ABSENT, "token.alg.absent"),
        ("HS256", "token.alg.symmetric"),
        ("hs384", "token.alg.symmetric"),
        ("ES256", "token.alg"),
        ("RS256", "token.alg"),
        ("es384", "token.alg"),
        ("ES384 ", "token.alg"),
        (["ES384"], "token.alg"),
        (0, "token.alg"),
    ],
)
@pytest.mark.parametrize("signed", [True, False])
def test_other_algorithms_are_refused(nras_key, alg, reason, signed):
    header = tokens.with_changes({"alg": alg, "kid": nras_key.kid}, {})
    forged = compact_token(header, CLAIMS, nras_key.sign if signed else tampering.no_signature)
    assert refusals(forged, nras_key.jwk()) == {reason}


def test_a_public_key_is_not_used_as_an_hmac_secret(nras_key, maa_key):
    for key in (nras_key, maa_key):
        public = key.key.public_key()
        for secret in (
            public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            json.dumps(key.jwk()).encode(),
        ):
            forged = compact_token(
                {"alg": "HS256", "kid": key.kid}, CLAIMS, tampering.hs256_signer(secret)
            )
            assert refusals(forged, key.jwk(), algorithm=key.algorithm) == {"token.alg.symmetric"}


def test_es256_is_not_taken_under_its_own_key(p256):
    signed = tokens.ecdsa_signer(p256.key, hashes.SHA256())
    forged = compact_token({"alg": "ES256", "kid": p256.kid}, CLAIMS, signed)
    assert refusals(forged, p256.jwk(alg="ES256")) == {"token.alg", "token.key.use"}


def test_es384_is_not_taken_under_a_key_of_p256(p256):
    assert refusals(p256.token(CLAIMS), p256.jwk()) == {"token.key.curve"}


def test_the_keys_kind_has_to_fit_the_algorithm(nras_key, maa_key):
    confused = replace(maa_key, kid=nras_key.kid)
    assert refusals(nras_key.token(CLAIMS), confused.jwk(alg=ABSENT)) == {"token.key.type"}


@pytest.mark.parametrize(
    ("header", "reasons"),
    [
        ({"crit": ["exp"], "exp": 1}, {"token.header.crit", "token.signature"}),
        ({"crit": []}, {"token.header.crit", "token.signature"}),
        ({"crit": ["b64"], "b64": True}, {"token.header.crit"}),
        ({"b64": False}, {"token.signature"}),
        ({"jwk": {"kty": "EC"}}, {"token.header.jwk"}),
        ({"jwk": None}, {"token.header.jwk"}),
        ({"x5c": ["MIIB"]}, {"token.header.x5c"}),
        ({"x5u": FOREIGN}, {"token.header.x5u"}),
        ({"jku": FOREIGN}, {"token.header.jku"}),
        ({"jku": f"{tokens.MAA_ISSUER}/certs/"}, {"token.header.jku"}),
        ({"jku": f"{tokens.MAA_ISSUER}/certs".replace("https", "http")}, {"token.header.jku"}),
        ({"jku": None}, {"token.header.jku"}),
        ({"jku": {}}, {"token.header.jku"}),
        ({"jku": f"{tokens.MAA_ISSUER}/certs"}, set()),
        ({"x5t": "AAAA"}, set()),
    ],
)
def test_keys_referenced_by_the_header_are_not_used(nras_key, header, reasons):
    assert refusals(nras_key.token(CLAIMS, **header), nras_key.jwk()) == reasons


@pytest.mark.parametrize(
    ("kid", "reason"),
    [
        ("another", "token.kid.unknown"),
        (tokens.NRAS_KID.upper(), "token.kid.unknown"),
        (ABSENT, "token.kid.form"),
        (None, "token.kid.form"),
        (7, "token.kid.form"),
        ([tokens.NRAS_KID], "token.kid.form"),
        ("", "token.kid.form"),
        ("../../etc/passwd", "token.kid.form"),
        ("..", "token.kid.form"),
        ("file:///dev/null", "token.kid.form"),
        ("https://evil.example/jwks.json", "token.kid.form"),
        ("a' OR '1'='1", "token.kid.form"),
        ("a\n", "token.kid.form"),
        ("k" * 257, "token.kid.form"),
    ],
)
def test_a_key_is_named_plainly_and_is_in_the_set(nras_key, kid, reason):
    assert refusals(nras_key.token(CLAIMS, kid=kid), nras_key.jwk()) == {reason}


def test_a_key_of_another_with_the_same_id_signs_nothing(nras_key):
    stranger = tokens.nras_signer()
    assert refusals(stranger.token(CLAIMS), nras_key.jwk()) == {"token.signature"}


def test_the_key_that_is_named_is_the_one_that_counts(nras_key):
    stranger = replace(tokens.nras_signer(), kid="another")
    both = (nras_key.jwk(), stranger.jwk())
    assert not refusals(stranger.token(CLAIMS), *both)
    assert refusals(stranger.token(CLAIMS, kid=nras_key.kid), *both) == {"token.signature"}


@pytest.mark.parametrize(
    "text", ["", "a.b", "a.b.c.d", "e30.e30", "e30=.e30.", "e30.e3!.", "e30.e30.*"]
)
def test_three_parts_in_base64url_are_a_token(text):
    assert refusals(text, {"kid": "a"}) == {"token.form"}


def test_a_token_has_one_spelling(nras_key):
    token = nras_key.token(CLAIMS)  # 96 bytes of signature leave no spare bits, so take the header
    header, claims, signature = token.split(".")
    for spelling in (
        f"{header}.{claims}.{signature}=",
        f"{header}.{claims}.{signature}A",
        f" {token}",
        f"{token}\n",
        f"{header}.{claims}.{signature[:-1]}+",
    ):
        assert refusals(spelling, nras_key.jwk()) == {"token.form"}
    assert refusals("e31.e30.", nras_key.jwk()) == {"token.form"}


def test_an_oversized_token_is_not_read():
    fits = "e30.e30." + "A" * (jws.SIZE_LIMIT - len("e30.e30."))
    assert refusals(fits, {"kid": "a"}) == {"token.alg.absent", "token.kid.form"}
    assert refusals(f"{fits}A", {"kid": "a"}) == {"token.size"}


@pytest.mark.parametrize(
    ("header", "claims", "reason"),
    [
        ("[]", "{}", "json.object"),
        ("{}", "[]", "json.object"),
        ('{"alg":"none","alg":"ES384"}', "{}", "json.duplicate"),
        ("{}", '{"exp":1,"exp":9999999999}', "json.duplicate"),
        ("{}", '{"exp":Infinity}', "json.number"),
        ("{}", "", "json.syntax"),
    ],
)
def test_a_token_is_json_that_reads_in_one_way(header, claims, reason):
    parts = (hcl.base64url(each.encode()) for each in (header, claims))
    assert refusals(".".join((*parts, "")), {"kid": "a"}) == {reason}


@pytest.mark.slow
@pytest.mark.parametrize("bit", mostly_slow(range(8), 8))
def test_a_flipped_bit_is_another_token(nras_key, bit):
    token = nras_key.token(CLAIMS).encode()
    for index in range(len(token)):
        flipped = bytearray(token)
        flipped[index] ^= 1 << bit
        assert refusals(bytes(flipped), nras_key.jwk()), index


@pytest.mark.parametrize("size", [0, 1, 95, 97, 192])
def test_a_signature_has_its_size(nras_key, size):
    header = {"alg": "ES384", "kid": nras_key.kid}
    forged = compact_token(header, CLAIMS, lambda data: (nras_key.sign(data) * 2)[:size])
    assert refusals(forged, nras_key.jwk()) == {"token.signature"}


@pytest.mark.parametrize("signature", [b"\0" * 96, b"\xff" * 96])
def test_numbers_out_of_range_sign_nothing(nras_key, signature):
    forged = compact_token({"alg": "ES384", "kid": nras_key.kid}, CLAIMS, lambda _: signature)
    assert refusals(forged, nras_key.jwk()) == {"token.signature"}


def test_a_signature_of_pkcs1_with_another_hash_is_refused(maa_key):
    assert isinstance(maa_key.key, rsa.RSAPrivateKey)
    token = compact_token(
        {"alg": "RS256", "kid": maa_key.kid},
        CLAIMS,
        lambda data: maa_key.key.sign(data, padding.PKCS1v15(), hashes.SHA384()),
    )
    assert refusals(token, maa_key.jwk(), algorithm="RS256") == {"token.signature"}


def test_strings_of_a_token_are_escaped(nras_key):
    checks = Checks()
    token = jws.parse(nras_key.token(CLAIMS, kid="\x1b[2J" + "k" * 500).encode(), "it")
    jws.verify(token, TokenTrust("ES384", {}, ISSUERS, AT), checks)
    shown = "".join(check.actual for check in checks.made)
    assert "\x1b" not in shown
    assert "\\x1b[2J" in shown
    assert len(shown) < 1000


@given(st.binary(max_size=200))
def test_any_bytes_are_a_token_or_malformed(data):
    assert refusals(data, {"kid": "a"})


@pytest.mark.slow
@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "jku", "crit", "b64"]), st.text() | st.none()),
    st.binary(max_size=120),
)
def test_any_header_is_accepted_or_refused(header, signature):
    token = compact_token(header, CLAIMS, lambda _: signature)
    assert refusals(token, {"kid": "a", "kty": "EC"})
