"""Each rule refuses an answer that is signed and right in all else, and says only its own code."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Checks, Malformed, Unverified, Verified
from ccgpu.attest.tokens import jws, nras
from ccgpu.fakeguest.evidence import tokens
from ccgpu.fakeguest.evidence.tokens import ABSENT, UEID, NrasResponse, compact_token
from support import tampering
from unit.attest.tokens.conftest import AT, NONCE

OTHER_UEID = "1" * 47
REPORT, DRIVER, VBIOS = (
    "x-nvidia-gpu-attestation-report",
    "x-nvidia-gpu-driver-rim",
    "x-nvidia-gpu-vbios-rim",
)
TRUE = {
    "secboot": "nras.gpu.secboot",
    "x-nvidia-gpu-arch-check": "nras.gpu.arch",
    f"{REPORT}-parsed": "nras.gpu.report.parsed",
    f"{REPORT}-nonce-match": "nras.gpu.report.nonce",
    f"{REPORT}-signature-verified": "nras.gpu.report.signature",
    f"{DRIVER}-fetched": "nras.gpu.driver-rim.fetched",
    f"{DRIVER}-schema-validated": "nras.gpu.driver-rim.schema",
    f"{DRIVER}-signature-verified": "nras.gpu.driver-rim.signature",
    f"{DRIVER}-measurements-available": "nras.gpu.driver-rim.measurements",
    f"{VBIOS}-fetched": "nras.gpu.vbios-rim.fetched",
    f"{VBIOS}-schema-validated": "nras.gpu.vbios-rim.schema",
    f"{VBIOS}-signature-verified": "nras.gpu.vbios-rim.signature",
    f"{VBIOS}-measurements-available": "nras.gpu.vbios-rim.measurements",
    "x-nvidia-gpu-vbios-index-no-conflict": "nras.gpu.rim.conflict",
}
TRUE_2 = {
    f"{REPORT}-cert-chain-validated": "nras.gpu.report.validated",
    f"{DRIVER}-cert-validated": "nras.gpu.driver-rim.validated",
    f"{VBIOS}-cert-validated": "nras.gpu.vbios-rim.validated",
}
TRUE_3 = {
    f"{REPORT}-cert-chain-fwid-match": "nras.gpu.fwid",
    f"{DRIVER}-version-match": "nras.gpu.driver-rim.version",
    f"{VBIOS}-version-match": "nras.gpu.vbios-rim.version",
}
CHAINS = {
    f"{REPORT}-cert-chain": ("nras.gpu.report.chain", "nras.gpu.report.ocsp"),
    f"{DRIVER}-cert-chain": ("nras.gpu.driver-rim.chain", "nras.gpu.driver-rim.ocsp"),
    f"{VBIOS}-cert-chain": ("nras.gpu.vbios-rim.chain", "nras.gpu.vbios-rim.ocsp"),
}
TEXTS = {
    ("measres", "fail"): "nras.gpu.measres",
    ("measres", "not-run"): "nras.gpu.measres",
    ("measres", "absent"): "nras.gpu.measres",
    ("measres", True): "nras.gpu.measres",
    ("measres", ABSENT): "nras.gpu.measres",
    ("dbgstat", "enabled"): "nras.gpu.dbgstat",
    ("dbgstat", None): "nras.gpu.dbgstat",
    ("dbgstat", ABSENT): "nras.gpu.dbgstat",
    ("hwmodel", "GB100 A01"): "nras.gpu.model",
    ("hwmodel", ABSENT): "nras.gpu.model",
    ("hwmodel", 1): "nras.gpu.model",
    ("ueid", ABSENT): "nras.gpu.ueid",
    ("ueid", ""): "nras.gpu.ueid",
    ("ueid", 7): "nras.gpu.ueid",
    ("ueid", "0x7"): "nras.gpu.ueid",
    ("ueid", "²"): "nras.gpu.ueid",
    ("ueid", "\u0663"): "nras.gpu.ueid",  # a digit, of Arabic
    ("ueid", "1" * 61): "nras.gpu.ueid",
}
LIES = [False, "true", "false", 1, None, ABSENT, [True]]


@pytest.mark.parametrize("version", ["2.0", "3.0", "4.0"])
@pytest.mark.parametrize("ueids", [(UEID,), (UEID, OTHER_UEID)])
def test_a_true_answer_is_verified(answer, nras_refusals, version, ueids):
    said = replace(answer, version=version, ueids=ueids)
    assert not nras_refusals(said, gpus=len(ueids))


def test_the_claims_of_the_service_are_returned(answer, nras_key):
    warned = replace(answer, gpu={"x-nvidia-attestation-warning": "old\x1b[0m driver" + "!" * 999})
    outcome = _verified(warned, nras_key)
    assert isinstance(outcome, Verified)
    assert outcome.value.version == "3.0"
    gpu = outcome.value.gpus["GPU-0"]
    assert (gpu.ueid, gpu.driver, gpu.vbios) == (UEID, "595.71.05", "96.00.9F.00.04")
    assert gpu.model == "GH100 A01 GSP BROM"
    (warning,) = outcome.value.warnings
    assert warning.startswith("GPU-0: old\\x1b[0m driver!!")
    assert len(warning) < 600
    assert _verified(answer, nras_key).value.warnings == ()


def _verified(answer: NrasResponse, key: tokens.TokenSigner):
    jwks = tokens.key_set(key.jwk())
    issuers = (tokens.NRAS_ISSUER,)
    return nras.verify(answer.signed(), jwks, AT, Checks(), nonce=NONCE, issuers=issuers, gpus=1)


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("claim", [*TRUE, *TRUE_3])
def test_a_claim_of_3_0_is_true_and_nothing_like_it(answer, nras_refusals, claim, lie):
    assert nras_refusals(replace(answer, gpu={claim: lie})) == {(TRUE | TRUE_3)[claim]}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("claim", [*TRUE, *TRUE_2])
def test_a_claim_of_2_0_is_true_and_nothing_like_it(answer, nras_refusals, claim, lie):
    old = replace(answer, version="2.0", gpu={claim: lie})
    assert nras_refusals(old) == {(TRUE | TRUE_2)[claim]}


# Claims 4.0 lack the two of the schema.
TRUE_4 = {
    claim: reason
    for claim, reason in (TRUE | TRUE_3).items()
    if not claim.endswith("schema-validated")
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("claim", TRUE_4)
def test_a_claim_of_4_0_is_true_and_nothing_like_it(answer, nras_refusals, claim, lie):
    newest = replace(answer, version="4.0", gpu={claim: lie})
    assert nras_refusals(newest) == {TRUE_4[claim]}


@pytest.mark.parametrize(
    ("claims", "reasons"),
    [
        ({f"{DRIVER}-schema-validated": False}, {"nras.gpu.driver-rim.schema"}),
        ({f"{VBIOS}-schema-validated": None}, {"nras.gpu.vbios-rim.schema"}),
        ({f"{VBIOS}-schema-validated": True}, set()),
        ({"x-nvidia-mismatch-opaque-data-records": [{"id": 1}]}, {"nras.gpu.opaque"}),
        ({"x-nvidia-mismatch-opaque-data-records": []}, set()),
        ({"x-nvidia-mismatch-opaque-data-records": ABSENT}, set()),
        ({"x-nvidia-mismatch-opaque-data-records": "none"}, {"nras.gpu.opaque"}),
        ({"x-nvidia-gpu-claims-version": "3.0"}, {"nras.gpu.version"}),
        ({"x-nvidia-gpu-claims-version": ABSENT}, set()),
        ({"x-nvidia-attester-claims": {"anything": 7}}, set()),
    ],
)
def test_what_claims_4_0_add_is_held_to(answer, nras_refusals, claims, reasons):
    assert nras_refusals(replace(answer, version="4.0", gpu=claims)) == reasons


def test_opaque_data_that_differs_is_refused_in_any_version(answer, nras_refusals):
    for version in ("2.0", "3.0"):
        said = {"x-nvidia-mismatch-opaque-data-records": [{"id": 1}]}
        assert nras_refusals(replace(answer, version=version, gpu=said)) == {"nras.gpu.opaque"}


def test_claims_4_0_that_call_themselves_3_0_lack_the_schema(answer, nras_refusals):
    said = replace(answer, version="4.0", overall={"x-nvidia-ver": "3.0"})
    lacking = {"nras.gpu.driver-rim.schema", "nras.gpu.vbios-rim.schema", "nras.gpu.version"}
    assert nras_refusals(said) == lacking


@pytest.mark.parametrize(("claim", "reason"), TEXTS.items())
@pytest.mark.parametrize("version", ["2.0", "3.0", "4.0"])
def test_a_claim_has_the_one_good_value(answer, nras_refusals, version, claim, reason):
    name, value = claim
    assert nras_refusals(replace(answer, version=version, gpu={name: value})) == {reason}


def test_a_serial_number_may_have_20_bytes(answer, nras_refusals):
    assert not nras_refusals(replace(answer, ueids=("9" * 60,)))


@pytest.mark.parametrize("records", [[{"index": 3}], "none", {}, False, 0, ""])
def test_no_measurement_is_listed_as_another(answer, nras_refusals, records):
    listed = {"x-nvidia-mismatch-measurement-records": records}
    assert nras_refusals(replace(answer, gpu=listed)) == {"nras.gpu.mismatch"}


@pytest.mark.parametrize("records", [None, []])
def test_an_empty_list_of_mismatches_is_none(answer, nras_refusals, records):
    listed = {"x-nvidia-mismatch-measurement-records": records}
    assert not nras_refusals(replace(answer, gpu=listed))


@pytest.mark.parametrize("claim", CHAINS)
@pytest.mark.parametrize("value", ["expired", "invalid", "revoked", True, None, ABSENT])
def test_every_chain_is_valid(answer, nras_refusals, claim, value):
    chain = tokens.with_changes(tokens.CHAIN_CLAIMS, {"x-nvidia-cert-status": value})
    assert nras_refusals(replace(answer, gpu={claim: chain})) == {CHAINS[claim][0]}


@pytest.mark.parametrize("claim", CHAINS)
@pytest.mark.parametrize("value", ["revoked", "unknown", True, None, ABSENT])
def test_no_chain_is_revoked(answer, nras_refusals, claim, value):
    chain = tokens.with_changes(tokens.CHAIN_CLAIMS, {"x-nvidia-cert-ocsp-status": value})
    assert nras_refusals(replace(answer, gpu={claim: chain})) == {CHAINS[claim][1]}


@pytest.mark.parametrize("claim", CHAINS)
@pytest.mark.parametrize("chain", [ABSENT, None, True, "valid", []])
def test_every_chain_is_there(answer, nras_refusals, claim, chain):
    assert nras_refusals(replace(answer, gpu={claim: chain})) == set(CHAINS[claim])


def test_claims_of_2_0_are_not_enough_for_3_0(answer, nras_refusals):
    old = replace(answer, version="2.0", overall={"x-nvidia-ver": "3.0"})
    chains = {reason for pair in CHAINS.values() for reason in pair}
    assert nras_refusals(old) == {*TRUE_3.values(), *chains}


@pytest.mark.parametrize("version", ["1.0", "5.0", 3.0, "3", None, ABSENT, ["3.0"]])
def test_claims_of_an_unknown_version_are_refused(answer, nras_refusals, version):
    assert nras_refusals(replace(answer, overall={"x-nvidia-ver": version})) == {"nras.version"}


@pytest.mark.parametrize("result", [False, "true", "false", "", 0, 1, None, ABSENT, [], {}])
def test_the_overall_result_is_true_and_nothing_like_it(answer, nras_refusals, result):
    said = {"x-nvidia-overall-att-result": result}
    assert nras_refusals(replace(answer, overall=said)) == {"nras.overall"}


@pytest.mark.parametrize("subject", ["NVIDIA-GPU-ATTESTATION", "", None, ABSENT])
def test_the_overall_token_is_of_a_platform(answer, nras_refusals, subject):
    assert nras_refusals(replace(answer, overall={"sub": subject})) == {"nras.sub"}


@pytest.mark.parametrize("where", ["overall", "gpu"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (ABSENT, "nras.nonce.absent"),
        (None, "nras.nonce.absent"),
        ("", "nras.nonce.absent"),
        ([NONCE.hex()], "nras.nonce.form"),
        ([NONCE.hex(), "00" * 32], "nras.nonce.form"),
        ({}, "nras.nonce.form"),
        (int(NONCE.hex(), 16), "nras.nonce.form"),
        (NONCE.hex()[:-1], "nras.nonce.other"),
        (NONCE.hex()[:-2], "nras.nonce.other"),
        (NONCE.hex() + "00", "nras.nonce.other"),
        (f" {NONCE.hex()}", "nras.nonce.other"),
        ((NONCE[:-1] + b"\0").hex(), "nras.nonce.other"),
        ("00" * 32, "nras.nonce.other"),
    ],
)
def test_each_token_carries_the_nonce(answer, nras_refusals, where, value, reason):
    assert nras_refusals(replace(answer, **{where: {"eat_nonce": value}})) == {reason}


def test_the_nonce_is_the_callers(answer, nras_refusals):
    assert nras_refusals(answer, nonce=b"\1" * 32) == {"nras.nonce.other"}
    loud = {"eat_nonce": NONCE.hex().upper()}
    assert not nras_refusals(replace(answer, overall=loud, gpu=loud))


def _submods(answer: NrasResponse, value: object) -> NrasResponse:
    return replace(answer, overall={"submods": value})


@pytest.mark.parametrize("name", ["SHA-256", "SHA256"])
def test_both_spellings_of_the_digest_are_known(answer, nras_refusals, name):
    token = answer.gpu_tokens()["GPU-0"]
    named = {"GPU-0": tokens.token_digest(token, name)}
    # ECDSA signs another time with another number: the named token has to come along
    assert not nras_refusals(replace(_submods(answer, named), tokens={"GPU-0": token}))


@pytest.mark.parametrize("name", ["SHA-1", "MD5", "sha-256", ""])
def test_no_other_digest_is_taken(answer, nras_refusals, name):
    token = answer.gpu_tokens()["GPU-0"]
    said = _submods(answer, {"GPU-0": tokens.token_digest(token, name)})
    assert nras_refusals(replace(said, tokens={"GPU-0": token})) == {"nras.submods.algorithm"}


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "00" * 32,
        ["DIGEST"],
        ["JWT", ["SHA-256", "00" * 32]],
        ["DIGEST", ["SHA-256"]],
        ["DIGEST", ["SHA-256", 0]],
        ["DIGEST", {"SHA-256": "00" * 32}],
        ["DIGEST", ["SHA-256", "00" * 32], 1],
    ],
)
def test_a_token_is_named_by_a_digest(answer, nras_refusals, entry):
    assert nras_refusals(_submods(answer, {"GPU-0": entry})) == {"nras.submods.form"}


@pytest.mark.parametrize("digest", ["00" * 32, "", "x"])
def test_the_digest_is_that_of_the_token(answer, nras_refusals, digest):
    said = _submods(answer, {"GPU-0": ["DIGEST", ["SHA-256", digest]]})
    assert nras_refusals(said) == {"nras.submods.digest"}


def test_a_token_of_another_answer_is_not_the_one_that_is_named(answer, nras_refusals):
    spliced = replace(answer, tokens=replace(answer).gpu_tokens())
    assert nras_refusals(spliced) == {"nras.submods.digest"}


def test_swapped_tokens_are_not_the_ones_that_are_named(answer, nras_refusals):
    two = replace(answer, ueids=(UEID, OTHER_UEID))
    first, second = json.loads(two.signed())
    swapped = tokens.detached_eat(first[1], {"GPU-0": second["GPU-1"], "GPU-1": second["GPU-0"]})
    assert nras_refusals(swapped, gpus=2) == {"nras.submods.digest"}


@pytest.mark.parametrize("submods", [{}, None, ABSENT, [], "GPU-0"])
def test_the_overall_token_names_every_gpu(answer, nras_refusals, submods):
    assert nras_refusals(_submods(answer, submods)) == {"nras.submods.names"}


def test_the_overall_token_names_no_other_gpu(answer, nras_refusals):
    two = replace(answer, ueids=(UEID, OTHER_UEID), tokens={"GPU-1": ABSENT})
    assert nras_refusals(two) == {"nras.submods.names"}


def test_tokens_of_unnamed_gpus_are_refused(answer, nras_refusals):
    stowaway = replace(answer, ueids=(UEID, OTHER_UEID)).gpu_tokens()["GPU-1"]
    assert nras_refusals(replace(answer, tokens={"GPU-1": stowaway}), gpus=2) == {
        "nras.submods.names"
    }


@pytest.mark.parametrize("expected", [0, 2])
def test_there_are_as_many_gpus_as_expected(answer, nras_refusals, expected):
    assert nras_refusals(answer, gpus=expected) == {"nras.gpus.count"}


def test_one_gpu_is_not_two(answer, nras_refusals):
    assert nras_refusals(replace(answer, ueids=(UEID, UEID)), gpus=2) == {"nras.gpus.twice"}


LOCAL = nras.GpuVersions("595.71.05", "96.00.9f.00.04")


@pytest.mark.parametrize(
    ("evidence", "reasons"),
    [
        ({UEID: LOCAL}, set()),
        ({OTHER_UEID: LOCAL}, {"nras.gpus.other"}),
        ({UEID: LOCAL, OTHER_UEID: LOCAL}, {"nras.gpus.other"}),
        ({}, {"nras.gpus.other"}),
        ({UEID: replace(LOCAL, driver="550.90.07")}, {"nras.gpus.driver"}),
        ({UEID: replace(LOCAL, vbios="96.00.9F.00.05")}, {"nras.gpus.vbios"}),
    ],
)
def test_the_token_is_of_the_gpu_of_the_evidence(answer, nras_refusals, evidence, reasons):
    assert nras_refusals(answer, evidence=evidence) == reasons


def test_a_gpu_that_does_not_say_its_versions_differs(answer, nras_refusals):
    silent = {"x-nvidia-gpu-driver-version": ABSENT, "x-nvidia-gpu-vbios-version": None}
    said = replace(answer, gpu=silent)
    expected = {"nras.gpus.driver", "nras.gpus.vbios"}
    assert nras_refusals(said, evidence={UEID: LOCAL}) == expected
    assert not nras_refusals(said)


def test_an_unsigned_answer_is_refused(answer, nras_key, nras_refusals):
    """As NVIDIA's own SDK makes it of a local verification."""
    first, second = json.loads(answer.signed())
    for where in ("overall", "GPU-0"):
        token = first[1] if where == "overall" else second[where]
        claims = jws.parse(token.encode(), "it").claims
        bare = compact_token({"alg": "none", "kid": nras_key.kid}, claims, tampering.no_signature)
        if where == "overall":
            forged, expected = tokens.detached_eat(bare, second), {"token.alg.none"}
        else:
            forged = tokens.detached_eat(first[1], {"GPU-0": bare})
            expected = {"token.alg.none", "nras.submods.digest"}
        assert nras_refusals(forged) == expected


def test_a_response_signed_entirely_by_a_stranger_is_refused(answer, nras_refusals):
    stranger = tokens.nras_signer()
    assert nras_refusals(replace(answer, signer=stranger)) == {"token.signature"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "json.syntax"),
        (b"[]", "nras.form"),
        (b"{}", "nras.form"),
        (b"null", "nras.form"),
        (b'[],"x":[]', "nras.form"),
        (b'[],"eat":[]', "json.duplicate"),
        (b"[]}", "json.syntax"),
        (b'[["JWT","e30.e30."]]', "nras.form"),
        (b'[["JWT","e30.e30."],{}]', "nras.form"),
        (b'[["JWT","e30.e30."],{"GPU-0":"e30.e30."},{}]', "nras.form"),
        (b'[["jwt","e30.e30."],{"GPU-0":"e30.e30."}]', "nras.form"),
        (b'[["JWT",1],{"GPU-0":"e30.e30."}]', "nras.form"),
        (b'[["JWT","e30.e30."],{"GPU-0":1}]', "nras.form"),
        (b'[["JWT","e30.e30."],{"GPU-00":"e30.e30."}]', "nras.form"),
        (b'[["JWT","e30.e30."],{"GPU-100":"e30.e30."}]', "nras.form"),
        (b'[["JWT","e30.e30."],{"SWITCH-0":"e30.e30."}]', "nras.form"),
        (b'[["JWT","e30.e30."],{"GPU-0\\n":"e30.e30."}]', "nras.form"),
        (b'[["JWT","e30.e30."],{"GPU-0":"e30.e30.","GPU-0":""}]', "json.duplicate"),
        (b'[["JWT","e30.e30"],{"GPU-0":"e30.e30."}]', "token.form"),
        (b'[["JWT","e30.e30."],{"GPU-0":"e30.e30.\xc3\xa9"}]', "token.form"),
        (b'[["JWT","e30.e30."],{"GPU-0":"W10.e30."}]', "json.object"),
        (b" " * (17 * 128 * 1024), "json.syntax"),
        (b" " * (17 * 128 * 1024 + 1), "nras.size"),
    ],
)
def test_invalid_responses_are_malformed(nras_refusals, data, reason):
    assert nras_refusals(data) == {reason}


def test_sixteen_gpus_are_the_most(nras_refusals):
    for count, malformed in ((16, False), (17, True)):
        each = {f"GPU-{index}": "e30.e30." for index in range(count)}
        reasons = nras_refusals(tokens.detached_eat("e30.e30.", each), gpus=count)
        assert (reasons == {"nras.form"}) == malformed


def test_parsed_claims_are_listed_on_failure(answer, nras_key):
    checks = Checks()
    jwks = tokens.key_set(nras_key.jwk())
    issuers = (answer.issuer,)
    nras.verify(answer.signed(), jwks, AT, checks, nonce=NONCE, issuers=issuers, gpus=1)
    assert {"nras.eat", "token.jwks", "token.key"} <= {check.id for check in checks.made}


def test_unreadable_tokens_list_no_claims(nras_key):
    jwks = tokens.key_set(nras_key.jwk())
    outcome = nras.verify(b"", jwks, AT, Checks(), nonce=NONCE, issuers=(), gpus=0)
    assert outcome == Unverified(nras.NrasResult(None, {}))


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_malformed(data):
    try:
        nras.parse(data)
    except Malformed:
        return
    raise AssertionError("random bytes are no answer")


_SIGNER = tokens.nras_signer()
_ANSWER = NrasResponse(_SIGNER, NONCE).signed()


@given(st.integers(0, len(_ANSWER)), st.integers(0, 4), st.binary(max_size=4))
def test_an_answer_with_other_bytes_is_another_answer_or_none(start, length, inserted):
    data = _ANSWER[:start] + inserted + _ANSWER[start + length :]
    issuers, jwks = (tokens.NRAS_ISSUER,), tokens.key_set(_SIGNER.jwk())
    outcome = nras.verify(data, jwks, AT, Checks(), nonce=NONCE, issuers=issuers, gpus=1)
    assert isinstance(outcome, Unverified) or json.loads(data) == json.loads(_ANSWER)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@pytest.mark.slow
@given(
    st.dictionaries(
        st.sampled_from(["submods", "eat_nonce", "exp", "iss", "sub", "x-nvidia-ver"]), _JSON
    ),
    st.dictionaries(st.sampled_from([*TRUE, *CHAINS, "ueid", "hwmodel", "eat_nonce"]), _JSON),
)
def test_any_claims_are_accepted_or_refused(overall, gpu):
    bare = [
        compact_token({"alg": "none"}, claims, tampering.no_signature) for claims in (overall, gpu)
    ]
    data = tokens.detached_eat(bare[0], {"GPU-0": bare[1]})
    outcome = nras.verify(
        data, b'{"keys":[{"kid":"a"}]}', AT, Checks(), nonce=NONCE, issuers=("x",), gpus=1
    )
    assert isinstance(outcome, Unverified)
