"""Tokens of simulated services verify with other libraries; any claim can be changed."""

import json
from dataclasses import replace

import jwt
import pytest
from cryptography import x509
from jwt.types import Options

from ccgpu.fakeguest.evidence import tokens
from ccgpu.fakeguest.evidence.tokens import ABSENT, MaaToken, NrasResponse, TokenSigner

NONCE = b"\7" * 32
UNTIMED: Options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}


@pytest.fixture(scope="module")
def signers() -> list[TokenSigner]:
    return [tokens.nras_signer(), tokens.maa_signer()]


def test_token_verifies_with_the_key_set(signers):
    published = tokens.key_set(*(signer.jwk() for signer in signers))
    keys = jwt.PyJWKSet.from_json(published.decode())
    for signer in signers:
        token = signer.token({"sub": "it"})
        assert jwt.get_unverified_header(token)["kid"] == signer.kid
        found = jwt.decode(token, keys[signer.kid], algorithms=[signer.algorithm])
        assert found == {"sub": "it"}


def test_a_certificate_is_of_the_key(signers):
    for signer in signers:
        found = x509.load_der_x509_certificate(signer.certificate())
        assert found.public_key() == signer.key.public_key()
        found.verify_directly_issued_by(found)


def test_absent_members_are_omitted(signers):
    token = signers[0].token(
        tokens.with_changes({"a": 1, "b": 2}, {"a": ABSENT, "c": 3}), kid=ABSENT
    )
    assert "kid" not in jwt.get_unverified_header(token)
    assert jwt.decode(token, options={"verify_signature": False}) == {"b": 2, "c": 3}


def test_response_has_the_digest_of_each_token(signers):
    answer = NrasResponse(signers[0], NONCE, ueids=("1", "2"))
    (kind, overall), gpus = json.loads(answer.signed())
    key = signers[0].key.public_key()
    claims = jwt.decode(overall, key, algorithms=["ES384"], options=UNTIMED)
    assert kind == "JWT"
    assert claims["submods"] == {name: tokens.token_digest(text) for name, text in gpus.items()}
    found = [jwt.decode(text, key, algorithms=["ES384"], options=UNTIMED) for text in gpus.values()]
    assert [each["ueid"] for each in found] == ["1", "2"]
    assert {each["eat_nonce"] for each in found} == {claims["eat_nonce"]} == {NONCE.hex()}
    assert claims["exp"] - claims["iat"] == 3600


def test_any_claim_can_be_changed_before_it_is_signed(signers):
    answer = NrasResponse(signers[0], NONCE)
    (_, overall), gpus = json.loads(
        replace(answer, gpu={"secboot": False}, overall={"sub": ABSENT}, header={"x": 1}).signed()
    )
    key = signers[0].key.public_key()
    assert "sub" not in jwt.decode(overall, key, algorithms=["ES384"], options=UNTIMED)
    assert jwt.get_unverified_header(overall)["x"] == 1
    gpu = jwt.decode(gpus["GPU-0"], key, algorithms=["ES384"], options=UNTIMED)
    assert gpu["secboot"] is False


def test_guest_token_names_its_issuers_keys(signers):
    token = MaaToken(signers[1], NONCE, claims={"secureboot": False}, tee={"x": 1}).signed()
    key = signers[1].key.public_key()
    claims = jwt.decode(token, key, algorithms=["RS256"], options=UNTIMED)
    assert jwt.get_unverified_header(token)["jku"] == f"{claims['iss']}/certs"
    assert claims["secureboot"] is False
    assert claims["x-ms-isolation-tee"]["x"] == 1
