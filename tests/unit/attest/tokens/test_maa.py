"""Each rule refuses a token that is signed and right in all else, and says only its own code."""

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Checks, Malformed, Unverified, Verified
from ccgpu.attest.tokens import maa
from ccgpu.fakeguest.evidence import tokens
from ccgpu.fakeguest.evidence.tokens import ABSENT, MaaToken, compact_token
from support import tampering
from unit.attest.tokens.conftest import AT, NONCE, VM_ID


def _payload(value: object) -> dict[str, object]:
    return {"x-ms-runtime": {"client-payload": value}}


def _nonce(value: object) -> dict[str, object]:
    return _payload({"nonce": value})


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _vm(value: object) -> dict[str, object]:
    return {"x-ms-runtime": {"vm-configuration": {"vmUniqueId": value}}}


def test_a_true_token_is_verified(token, maa_refusals):
    assert not maa_refusals(token)
    assert not maa_refusals(token.signed() + b"\n")
    assert not maa_refusals(token, vm_id=None)
    assert not maa_refusals(token, vm_id=VM_ID.upper())


def test_a_key_that_is_only_a_certificate_is_enough(token, maa_key, maa_refusals):
    jwk = maa_key.jwk(x5c=tokens.x5c_list(maa_key.certificate()), n=ABSENT, e=ABSENT)
    assert not maa_refusals(token, jwks=tokens.key_set(jwk))


def test_the_claims_of_the_service_are_returned(token, maa_key):
    claims = _verified(token, maa_key).value
    assert claims == maa.MaaClaims(
        vm_id=VM_ID,
        secure_boot=True,
        report_data="11" * 32 + "00" * 32,
        measurement="22" * 48,
        id_key_digest="33" * 48,
        report_id="44" * 32,
    )
    silent = replace(token, claims={"secureboot": "true"}, tee={"x-ms-sevsnpvm-reportid": 1})
    claims = _verified(silent, maa_key).value
    assert (claims.secure_boot, claims.report_id) == (None, None)


def _verified(token: MaaToken, key: tokens.TokenSigner) -> Verified[maa.MaaClaims]:
    outcome = maa.verify(
        token.signed(),
        tokens.key_set(key.jwk()),
        AT,
        Checks(),
        issuers=(token.issuer,),
        nonce=NONCE,
        vm_id=None,
    )
    assert isinstance(outcome, Verified)
    return outcome


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"x-ms-attestation-type": "sevsnpvm"}, "maa.type"),
        ({"x-ms-attestation-type": ABSENT}, "maa.type"),
        (_payload(ABSENT), "maa.nonce.absent"),
        (_payload({}), "maa.nonce.absent"),
        (_payload("x"), "maa.nonce.absent"),
        ({"x-ms-runtime": ABSENT}, "maa.nonce.absent"),
        (_nonce(None), "maa.nonce.absent"),
        (_nonce(""), "maa.nonce.absent"),
        (_nonce("é"), "maa.nonce.form"),
        (_nonce("*"), "maa.nonce.form"),
        (_nonce(7), "maa.nonce.form"),
        (_nonce([_base64(NONCE)]), "maa.nonce.form"),
        (_nonce({}), "maa.nonce.form"),
        (_nonce(_base64(NONCE[:-1])), "maa.nonce.other"),
        (_nonce(_base64(NONCE + b"\0")), "maa.nonce.other"),
        (_nonce(NONCE.hex()), "maa.nonce.other"),
        (_nonce(_base64(NONCE.hex()[:-1].encode())), "maa.nonce.other"),
        ({"x-ms-azurevm-vmid": VM_ID[:-1] + "1"}, None),
        ({"x-ms-azurevm-vmid": ABSENT}, None),
        ({"x-ms-azurevm-vmid": [VM_ID]}, None),
    ],
)
def test_each_wrong_claim_is_rejected_for_itself_alone(token, maa_refusals, claims, reason):
    expected = {reason} if reason else {"maa.vm-id", "maa.vm-id.agrees"}
    assert maa_refusals(replace(token, claims=claims | _rest(claims))) == expected


def _rest(claims: dict[str, object]) -> dict[str, object]:
    """`changed` does not look into objects: what is `ABSENT` in one is left out here."""
    runtime = claims.get("x-ms-runtime")
    return {"x-ms-runtime": tokens.with_changes(runtime, {})} if isinstance(runtime, dict) else {}


@pytest.mark.parametrize(
    ("tee", "reasons"),
    [
        ({"x-ms-attestation-type": "tdxvm"}, {"maa.tee.type"}),
        ({"x-ms-attestation-type": ABSENT}, {"maa.tee.type"}),
        ({"x-ms-compliance-status": "azure-signed-cvm"}, {"maa.compliance"}),
        ({"x-ms-compliance-status": ABSENT}, {"maa.compliance"}),
        ({"x-ms-compliance-status": True}, {"maa.compliance"}),
        ({"x-ms-sevsnpvm-is-debuggable": True}, {"maa.debuggable"}),
        ({"x-ms-sevsnpvm-is-debuggable": "false"}, {"maa.debuggable"}),
        ({"x-ms-sevsnpvm-is-debuggable": 0}, {"maa.debuggable"}),
        ({"x-ms-sevsnpvm-is-debuggable": ABSENT}, {"maa.debuggable"}),
        ({"x-ms-sevsnpvm-migration-allowed": True}, {"maa.migration"}),
        ({"x-ms-sevsnpvm-migration-allowed": ABSENT}, {"maa.migration"}),
        (_vm(VM_ID[:-1] + "1"), {"maa.vm-id.agrees"}),
        (_vm(None), {"maa.vm-id.agrees"}),
        (_vm(VM_ID), set()),
    ],
)
def test_a_wrong_claim_of_the_isolation_is_the_only_reason(token, maa_refusals, tee, reasons):
    assert maa_refusals(replace(token, tee=tee)) == reasons


@pytest.mark.parametrize("tee", [ABSENT, None, "sevsnpvm", []])
def test_claims_of_the_isolation_are_not_those_of_the_guest(token, maa_refusals, tee):
    at_the_top = {"x-ms-compliance-status": "azure-compliant-cvm", "x-ms-isolation-tee": tee}
    assert maa_refusals(replace(token, claims=at_the_top)) == {"maa.tee", "maa.vm-id.agrees"}


def test_the_nonce_may_be_passed_as_it_is_or_in_hex(token, maa_refusals):
    assert not maa_refusals(replace(token, claims=_nonce(_base64(NONCE))))
    assert not maa_refusals(replace(token, claims=_nonce(_base64(NONCE.hex().encode()))))
    assert maa_refusals(token, nonce=b"\1" * 32) == {"maa.nonce.other"}


def test_the_vm_is_the_callers(token, maa_refusals):
    assert maa_refusals(token, vm_id="0" * 36) == {"maa.vm-id"}


@pytest.mark.parametrize("issuer", ["https://sharedweu.weu.attest.azure.net", "https://evil"])
def test_another_tenant_is_refused(token, maa_refusals, issuer):
    foreign = replace(token, issuer=issuer)
    assert maa_refusals(foreign) == {"token.iss", "token.header.jku"}


def test_a_token_referring_to_a_strangers_keys_is_refused(token, maa_refusals):
    stranger = replace(tokens.maa_signer(), kid="stranger")
    header = {
        "jku": "https://evil.attest.azure.net/certs",
        "x5u": "https://evil.example",
        "x5c": tokens.x5c_list(stranger.certificate()),
        "jwk": stranger.jwk(),
    }
    assert maa_refusals(replace(token, signer=stranger, header=header)) == {
        "token.header.jku",
        "token.header.x5u",
        "token.header.x5c",
        "token.header.jwk",
        "token.kid.unknown",
    }


def test_nvidias_algorithm_is_not_microsofts(token, nras_key, maa_refusals):
    signer = replace(nras_key, kid=token.signer.kid)
    assert maa_refusals(replace(token, signer=signer)) == {"token.alg"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "token.form"), (b"a.b", "token.form"), (b"e30.W10.", "json.object")],
)
def test_invalid_tokens_are_malformed(maa_refusals, data, reason):
    assert maa_refusals(data) == {reason}


def test_parsed_claims_are_listed_on_failure(token, maa_key):
    checks = Checks()
    jwks = tokens.key_set(maa_key.jwk())
    issuers = (token.issuer,)
    maa.verify(token.signed(), jwks, AT, checks, issuers=issuers, nonce=NONCE, vm_id=None)
    assert {"maa.token", "token.jwks", "token.key"} <= {check.id for check in checks.made}


def test_unreadable_tokens_list_no_claims(maa_key):
    jwks = tokens.key_set(maa_key.jwk())
    outcome = maa.verify(b"", jwks, AT, Checks(), issuers=(), nonce=NONCE, vm_id=None)
    assert outcome == Unverified(maa.MaaClaims())


@given(st.binary(max_size=300))
def test_any_bytes_are_a_token_or_malformed(data):
    try:
        maa.parse(data)
    except Malformed:
        return
    raise AssertionError("random bytes are no token")


def test_real_claims_are_refused_for_their_age_and_what_they_lack_alone(vectors, maa_key):
    """A token of Microsoft's of 2022, whose guest passed no nonce; signed here with another key."""
    claims = json.loads((vectors / "attest" / "maa-claims-2022.json").read_text("utf-8"))
    checks = Checks()
    outcome = maa.verify(
        maa_key.token(claims, jku=f"{claims['iss']}/certs").encode(),
        tokens.key_set(maa_key.jwk()),
        AT,
        checks,
        issuers=(claims["iss"],),
        nonce=NONCE,
        vm_id=claims["x-ms-azurevm-vmid"].lower(),
    )
    refused = {check.id for check in checks.made if not check.ok}
    assert refused == {"maa.nonce.absent", "token.exp.past"}
    assert None not in [getattr(outcome.value, name) for name in maa.MaaClaims.__slots__]


def test_simulated_claims_match_those_of_the_real_service(vectors, token):
    real = json.loads((vectors / "attest" / "maa-claims-2022.json").read_text("utf-8"))
    ours = json.loads(base64.urlsafe_b64decode(token.signed().split(b".")[1] + b"=="))
    tee = "x-ms-isolation-tee"
    assert set(ours) <= set(real)
    assert set(ours[tee]) <= set(real[tee])
    for one, other in ((ours, real), (ours[tee], real[tee])):
        assert {k: type(v) for k, v in one.items()} == {k: type(other[k]) for k in one}


@given(st.dictionaries(st.sampled_from(["x-ms-runtime", "x-ms-isolation-tee", "exp"]), st.none()))
def test_any_claims_are_accepted_or_refused(claims):
    data = compact_token({"alg": "none"}, claims, tampering.no_signature).encode()
    keys = b'{"keys":[{"kid":"a"}]}'
    outcome = maa.verify(data, keys, AT, Checks(), issuers=(), nonce=NONCE, vm_id="x")
    assert isinstance(outcome, Unverified)
