"""Tokens in an appraisal: they may refuse, and never make a bad verdict good."""

import json
from dataclasses import replace

import pytest

from ccgpu.attest.appraise import AppraisalInputs
from ccgpu.attest.attestation_tokens import TokenKeySets
from ccgpu.domain.evidence import AttestationTokens
from ccgpu.domain.policy import TokenPolicy
from ccgpu.fakeguest.evidence import tokens
from ccgpu.fakeguest.evidence.tokens import ABSENT
from support import gpus, vms
from support.gpus import gpu
from support.vms import AT, MAA_REPORT, NONCE, Judge, caller_question, vm

NRAS, MAA = tokens.nras_signer(), tokens.maa_signer()
NRAS_KEYS, MAA_KEYS = tokens.key_set(NRAS.jwk()), tokens.key_set(MAA.jwk())


def _ueid():
    return judge_gpu(gpus.nonce_evidence(gpu())).facts["GPU ueid"]


def _policy(**changes):
    plain = {
        "require_nras": False,
        "nras_issuers": (tokens.NRAS_ISSUER,),
        "require_maa": False,
        "maa_issuers": (tokens.MAA_ISSUER,),
    }
    return TokenPolicy(**(plain | changes))


def judge_gpu(found, keys=None, **changes):
    question = AppraisalInputs(AT, keys=TokenKeySets(nras=keys))
    return Judge("gpu-only", question)(found, tokens=_policy(**changes))


def judge_cpu(found, keys=None, **changes):
    question = AppraisalInputs(AT, keys=TokenKeySets(maa=keys))
    return Judge("cpu-only", question)(found, tokens=_policy(**changes))


def _nras(found, **changes):
    answer = tokens.NrasResponse(NRAS, NONCE, issued=AT, ueids=(_ueid(),), **changes)
    return replace(found, tokens=AttestationTokens(nras=answer.signed()))


def _maa(found, tee=None, **changes):
    tee = MAA_REPORT | (tee or {})
    token = tokens.MaaToken(MAA, NONCE, vm_id=vm().vm_id, issued=AT, tee=tee, **changes)
    return replace(found, tokens=AttestationTokens(maa=token.signed()))


def test_a_good_token_beside_good_evidence_is_accepted():
    found = judge_gpu(_nras(gpus.nonce_evidence(gpu())), NRAS_KEYS)
    assert found.reasons == ()
    other = judge_cpu(_maa(vms.nonce_evidence(vm())), MAA_KEYS)
    assert other.reasons == ()


def test_a_token_is_ignored_and_listed_without_a_key_set():
    found = judge_gpu(_nras(gpus.nonce_evidence(gpu())))

    assert found.verdict == "accepted"
    assert any("NVIDIA's token" in words for words in found.not_proven)
    other = judge_cpu(_maa(vms.nonce_evidence(vm())))
    assert any("Microsoft's token" in words for words in other.not_proven)


def test_a_missing_required_token_is_rejected():
    assert judge_gpu(gpus.nonce_evidence(gpu()), NRAS_KEYS, require_nras=True).reasons == (
        "evidence.nras.absent",
    )
    assert judge_cpu(vms.nonce_evidence(vm()), MAA_KEYS, require_maa=True).reasons == (
        "evidence.maa.absent",
    )


@pytest.mark.slow
def test_a_required_token_without_a_key_set_gives_no_verdict():
    found = judge_gpu(_nras(gpus.nonce_evidence(gpu())), None, require_nras=True)

    assert (found.verdict, found.reasons) == ("no_verdict", ("collateral.jwks.absent",))
    assert judge_gpu(_nras(gpus.nonce_evidence(gpu())), NRAS_KEYS, require_nras=True).reasons == ()


@pytest.mark.parametrize("overall", [False, "true", 1, None])
def test_a_bad_token_rejects_despite_a_good_local_verdict(overall):
    changed = {"overall": {"x-nvidia-overall-att-result": overall}}
    found = judge_gpu(_nras(gpus.nonce_evidence(gpu()), **changed), NRAS_KEYS)

    assert found.reasons == ("nras.overall",)


def test_a_good_token_does_not_outweigh_a_bad_local_verdict():
    found = gpus.nonce_evidence(gpu())
    bad = replace(found, gpus=(replace(found.gpus[0], chain=b"x"),))

    assert judge_gpu(_nras(bad), NRAS_KEYS).verdict == "rejected"


def test_the_token_of_another_gpu_is_refused():
    answer = tokens.NrasResponse(NRAS, NONCE, issued=AT)
    found = replace(gpus.nonce_evidence(gpu()), tokens=AttestationTokens(nras=answer.signed()))

    assert "nras.gpus.other" in judge_gpu(found, NRAS_KEYS).reasons


def test_the_token_of_another_vm_is_refused():
    token = tokens.MaaToken(MAA, NONCE, vm_id="11111111-2222-3333-4444-555555555555", issued=AT)
    found = replace(vms.nonce_evidence(vm()), tokens=AttestationTokens(maa=token.signed()))

    assert "maa.vm-id" in judge_cpu(found, MAA_KEYS).reasons


@pytest.mark.slow
def test_a_key_set_inside_the_evidence_is_not_trusted():
    stranger = tokens.key_set(tokens.nras_signer().jwk())

    assert judge_gpu(_nras(gpus.nonce_evidence(gpu())), stranger).verdict == "rejected"
    assert (
        judge_gpu(_nras(gpus.nonce_evidence(gpu())), json.dumps({}).encode()).verdict == "rejected"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tee": {"x-ms-sevsnpvm-reportid": "44" * 32}}, "maa.report-id"),
        ({"tee": {"x-ms-sevsnpvm-reportid": 44}}, "maa.report-id"),
        ({"tee": {"x-ms-sevsnpvm-launchmeasurement": "22" * 48}}, "maa.measurement"),
        ({"tee": {"x-ms-sevsnpvm-idkeydigest": "33" * 48}}, "maa.id-key-digest"),
        ({"tee": {"x-ms-sevsnpvm-hostdata": "01" * 32}}, "maa.host-data"),
        ({"tee": {"x-ms-sevsnpvm-guestsvn": 0x1000D}}, "maa.guest-svn"),
        ({"tee": {"x-ms-sevsnpvm-guestsvn": str(0x1000B)}}, "maa.guest-svn"),
        ({"tee": {"x-ms-sevsnpvm-vmpl": 1}}, "maa.vmpl"),
        ({"tee": {"x-ms-sevsnpvm-vmpl": False}}, "maa.vmpl"),
        ({"claims": {"secureboot": False}}, "maa.secure-boot"),
        ({"claims": {"secureboot": 1}}, "maa.secure-boot"),
    ],
    ids=str,
)
def test_a_token_contradicting_the_report_is_rejected_naming_the_claim(changes, reason):
    assert judge_cpu(_maa(vms.nonce_evidence(vm()), **changes), MAA_KEYS).reasons == (reason,)


def test_a_token_contradicting_the_report_on_debugging_is_rejected():
    found = judge_cpu(
        _maa(vms.nonce_evidence(vm()), {"x-ms-sevsnpvm-is-debuggable": True}), MAA_KEYS
    )

    assert found.reasons == ("maa.debuggable", "maa.debuggable.other")


def _not_compared(found):
    start = "Microsoft's token: not compared with the evidence: "
    said = [words.removeprefix(start) for words in found.not_proven if words.startswith(start)]
    return said[0].split(", ") if said else None


def test_missing_claims_are_listed_as_not_compared():
    whole = judge_cpu(_maa(vms.nonce_evidence(vm())), MAA_KEYS)
    assert _not_compared(whole) == ["report data", "TCB"]
    silent = {"x-ms-sevsnpvm-reportid": ABSENT, "x-ms-sevsnpvm-vmpl": ABSENT}
    found = judge_cpu(_maa(vms.nonce_evidence(vm()), silent), MAA_KEYS)
    assert found.verdict == "accepted"
    assert _not_compared(found) == ["report id", "VMPL", "report data", "TCB"]


def test_tokens_are_compared_only_with_verified_values():
    evidence = vms.nonce_evidence(vm())
    assert evidence.cpu is not None
    unbelieved = replace(evidence, cpu=replace(evidence.cpu, vek=None))
    found = judge_cpu(_maa(unbelieved, {"x-ms-sevsnpvm-reportid": "44" * 32}), MAA_KEYS)

    assert found.reasons == ("collateral.vek.absent",)
    assert {"report id", "measurement", "secure boot", "debug"} <= set(_not_compared(found))


def test_shipped_policies_accept_tokens_of_shared_providers():
    government = "https://sharedugv.ugv.attest.azure.us"
    for issuer in ("https://sharedeus2.eus2.attest.azure.net", tokens.MAA_ISSUER, government):
        token = tokens.MaaToken(
            MAA, NONCE, vm_id=vm().vm_id, issued=AT, tee=MAA_REPORT, issuer=issuer
        )
        found = replace(vms.nonce_evidence(vm()), tokens=AttestationTokens(maa=token.signed()))
        question = AppraisalInputs(AT, keys=TokenKeySets(maa=MAA_KEYS))
        assert Judge("cpu-only", question)(found).reasons == ()


def test_a_good_token_leaves_the_default_verdict_accepted():
    found = _maa(gpus.bound_evidence(vm(), gpu()))
    judged = Judge("default", caller_question(vm(), keys=TokenKeySets(maa=MAA_KEYS)))(found)

    assert judged.reasons == ()
    assert "maa.report-id" in {check.id for check in judged.checks}


@pytest.mark.parametrize(
    "issuer",
    ["https://mine.eus2.attest.azure.net", "https://sharedeus2.eus2.attest.azure.net.evil.example"],
)
def test_an_unlisted_provider_is_refused(issuer):
    token = tokens.MaaToken(MAA, NONCE, vm_id=vm().vm_id, issued=AT, tee=MAA_REPORT, issuer=issuer)
    found = replace(vms.nonce_evidence(vm()), tokens=AttestationTokens(maa=token.signed()))
    judged = Judge("cpu-only", AppraisalInputs(AT, keys=TokenKeySets(maa=MAA_KEYS)))(found)

    assert "token.iss" in judged.reasons
    refused = [check for check in judged.checks if check.id == "token.iss"]
    assert refused[0].expected == "one of 59 listed"
