"""Whose evidence it is, and when it was asked for: only the caller can say, and what that stops."""

from dataclasses import replace
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from ccgpu.attest import binding, simulated
from ccgpu.attest.appraise import AppraisalInputs
from ccgpu.attest.attestation_tokens import TokenKeySets
from ccgpu.domain import hostkey
from ccgpu.domain.evidence import AttestationTokens, Evidence
from ccgpu.errors import EvidenceRejected
from ccgpu.fakeguest.evidence import tokens
from ccgpu.fakeguest.evidence.cpu import SimulatedVm
from ccgpu.store import policies
from support import gpus, vms
from support.gpus import gpu
from support.slow import mostly_slow
from support.vms import AT, HOST_KEY, MAA_REPORT, NONCE, Judge, caller_question, newest_vm, vm

UNKNOWN = ("freshness.nonce.unknown", "identity.vm-id.unknown", "identity.host-key.unknown")
OTHER_KEY = HOST_KEY[:-1] + b"\x08"
OTHER_ID = "11111111-2222-3333-4444-555555555555"


def victim() -> SimulatedVm:
    """The VM that is asked; new enough for `strict`."""
    return newest_vm()


@cache
def attacker() -> SimulatedVm:
    """Another genuine VM, on another chip, with a vTPM of its own."""
    chip = replace(newest_vm().chip, hwid=b"\x77" * 64)
    ak = rsa.generate_private_key(65537, 2048)
    return replace(newest_vm(), ak=ak, chip=chip, vm_id=OTHER_ID)


def relayed(vm_id=OTHER_ID, host_key=OTHER_KEY, said_id=None, said_key=None) -> Evidence:
    """The attacker's VM answers the victim's nonce, bound to what the attacker likes."""
    return gpus.bound_evidence(
        attacker(),
        gpu(),
        bound_to=(vm_id, host_key),
        vm_id=said_id or vm_id,
        host_key=said_key or host_key,
    )


def _judge(policy, question):
    return Judge(policy, replace(question, reference_values=vms.pins(vm())))


RELAYS = {
    "as it is": relayed,
    "bound to the victim's id and key": lambda: relayed(vm().vm_id, HOST_KEY),
    "said to be the victim's": lambda: relayed(said_id=vm().vm_id, said_key=HOST_KEY),
    "bound to the victim's id": lambda: relayed(vm().vm_id),
    "bound to the victim's key": lambda: relayed(host_key=HOST_KEY),
    "saying nothing": lambda: replace(
        found := relayed(), claimed=replace(found.claimed, vm_id=None, host_key=None)
    ),
}


@pytest.mark.parametrize("policy", mostly_slow(["default", "strict"], 2))
@pytest.mark.parametrize("relay", mostly_slow(RELAYS, 2))
def test_a_relay_to_another_genuine_vm_is_rejected(policy, relay):
    judge = _judge(policy, caller_question(victim()))

    assert judge(gpus.bound_evidence(victim(), gpu())).verdict == "accepted"
    refused = judge(RELAYS[relay]())
    assert refused.verdict == "rejected"
    assert "policy.vm-id" in refused.reasons


@pytest.mark.parametrize("policy", ["default", "strict"])
def test_without_the_vm_id_a_relay_is_rejected(policy):
    by_key = _judge(policy, caller_question(victim(), vm_id=None))
    nothing = _judge(policy, AppraisalInputs(AT, nonce=NONCE))

    assert by_key(relayed(host_key=HOST_KEY)).reasons == ("identity.vm-id.unknown",)
    assert nothing(relayed()).reasons == UNKNOWN[1:]


@pytest.mark.parametrize("policy", ["default", "strict"])
def test_a_relay_passes_only_if_claims_of_the_evidence_are_trusted(policy):
    judge = _judge(policy, AppraisalInputs(AT, nonce=NONCE))
    found = judge(relayed(), unsafe_trust_bundle_identity=True)

    assert found.verdict == "accepted"
    assert found.unsafe == ("unsafe_trust_bundle_identity",)
    assert [words.split(":")[0] for words in found.not_proven[:2]] == ["identity", "channel"]


@pytest.mark.parametrize("policy", ["default", "strict"])
def test_the_other_vm_is_accepted_with_its_own_id_and_key(policy):
    key = hostkey.sha256(OTHER_KEY)
    judge = _judge(policy, caller_question(victim(), vm_id=OTHER_ID, host_key=key))

    assert judge(relayed()).verdict == "accepted"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"vm_id": None}, "identity.vm-id.unknown"),
        ({"host_key": None}, "identity.host-key.unknown"),
        ({"nonce": None}, "freshness.nonce.unknown"),
    ],
)
def test_an_unknown_identity_is_rejected_by_name(changes, reason):
    judge = _judge("default", caller_question(victim(), **changes))

    assert judge(gpus.bound_evidence(victim(), gpu())).reasons == (reason,)


def test_a_hint_names_the_missing_options():
    with pytest.raises(EvidenceRejected) as caught:
        Judge("default")(gpus.bound_evidence(vm(), gpu())).require()

    hint = "say what was asked: `--nonce HEX --vm-id ID --host-key FILE`"
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"vm_id": OTHER_ID}, {"identity.vm-id.other", "policy.vm-id", "hcl.user-data.other"}),
        (
            {"host_key": hostkey.sha256(OTHER_KEY)},
            {"identity.host-key.other", "hcl.user-data.other"},
        ),
        ({"nonce": b"\x01" * 32}, {"freshness.nonce.other", "hcl.user-data.other"}),
    ],
)
def test_values_differing_from_the_callers_are_rejected(changes, reasons):
    answers = {"vtpm.nonce.other", "gpu.nonce.other"}
    found = Judge("default", caller_question(vm(), **changes))(gpus.bound_evidence(vm(), gpu()))

    assert set(found.reasons) == reasons | answers


def test_each_override_loosens_only_its_own_requirement():
    found = gpus.bound_evidence(vm(), gpu())
    judge = Judge("default")

    assert judge(found, unsafe_trust_bundle_identity=True).reasons == UNKNOWN[:1]
    assert judge(found, unsafe_trust_bundle_nonce=True).reasons == UNKNOWN[1:]


def test_overrides_do_not_outweigh_values_of_the_caller():
    loose = {"unsafe_trust_bundle_identity": True, "unsafe_trust_bundle_nonce": True}
    refused = Judge("default", caller_question(victim()))(relayed(), **loose)

    assert {"identity.vm-id.other", "identity.host-key.other", "policy.vm-id"} <= set(
        refused.reasons
    )


def test_overrides_are_not_needed_with_values_of_the_caller():
    found = gpus.bound_evidence(vm(), gpu(), vm_id=None, host_key=None, nonce=None)

    assert Judge("default", caller_question(vm()))(found).verdict == "accepted"


def test_the_case_of_a_vm_id_does_not_matter():
    question = caller_question(vm(), vm_id=vm().vm_id.lower())

    assert Judge("default", question)(gpus.bound_evidence(vm(), gpu())).verdict == "accepted"


def test_evidence_without_a_vm_id_is_rejected():
    found = gpus.bound_evidence(vm(), gpu(), vm_id=None, host_key=None)
    loose = {"unsafe_trust_bundle_identity": True, "unsafe_trust_bundle_nonce": True}
    reasons = set(Judge("default")(found, **loose).reasons)

    assert {"binding.vm-id.absent", "binding.host-key.absent"} <= reasons


def test_a_given_vm_id_is_checked_where_a_bare_nonce_suffices():
    of_victim = Judge("cpu-only", AppraisalInputs(AT, nonce=NONCE, vm_id=vm().vm_id))
    good, bad = of_victim(vms.nonce_evidence(vm())), of_victim(vms.nonce_evidence(attacker()))

    assert good.verdict == "accepted"
    assert not [words for words in good.not_proven if words.startswith("identity")]
    assert [words for words in good.not_proven if words.startswith("channel")]
    assert bad.reasons == ("policy.vm-id",)


def test_a_given_host_key_is_checked_where_a_bare_nonce_suffices():
    judge = Judge("cpu-only", caller_question(vm()))
    other = Judge("cpu-only", caller_question(vm(), host_key=hostkey.sha256(OTHER_KEY)))

    assert judge(vms.bound_evidence(vm())).verdict == "accepted"
    assert not [words for words in judge(vms.bound_evidence(vm())).not_proven if "channel" in words]
    assert "binding.kind" in judge(vms.nonce_evidence(vm())).reasons
    assert "identity.host-key.other" in other(vms.bound_evidence(vm())).reasons


def test_a_vm_id_needs_a_policy_that_checks_the_vm():
    judge = Judge("gpu-only", AppraisalInputs(AT, nonce=NONCE, vm_id=vm().vm_id))

    assert judge(gpus.nonce_evidence(gpu())).reasons == ("policy.vm-id",)


def test_a_nonce_of_the_evidence_does_not_prove_freshness():
    found = Judge("cpu-only")(vms.nonce_evidence(vm()))

    assert found.verdict == "accepted"
    assert [words for words in found.not_proven if words.startswith("freshness")]


def test_a_gpu_nonce_of_the_evidence_needs_the_override():
    found = gpus.nonce_evidence(gpu())
    there = replace(found.gpus[0], nonce=NONCE)
    silent = replace(found, claimed=replace(found.claimed, nonce=None), gpus=(there,))
    judged = Judge("gpu-only")(silent)

    assert judged.verdict == "accepted"
    assert [words for words in judged.not_proven if words.startswith("freshness")]
    second = Judge("gpu-only")(replace(silent, gpus=(found.gpus[0], there)))
    assert second.reasons == ("policy.gpu.count",)


def test_an_empty_nonce_of_the_caller_is_not_replaced():
    found = Judge("default", caller_question(vm(), nonce=b""))(gpus.bound_evidence(vm(), gpu()))

    assert {"freshness.nonce.absent", "binding.nonce.size"} <= set(found.reasons)


def test_evidence_without_any_nonce_is_rejected():
    found = gpus.bound_evidence(vm(), gpu(), nonce=None)
    reasons = set(Judge("default", caller_question(vm(), nonce=None))(found).reasons)
    absent, nonce = "freshness.nonce.absent", "freshness.nonce.unknown"

    assert {absent, nonce, "binding.nonce.size", "vtpm.nonce.unasked"} <= reasons


@pytest.mark.parametrize(
    ("known", "claimed", "reasons"),
    [
        (None, OTHER_ID, ()),  # believed claims go before the maker's word
        (vm().vm_id, OTHER_ID, ("identity.vm-id.other",)),
        (OTHER_ID, None, ("policy.vm-id", "maa.vm-id")),
    ],
)
def test_a_maa_token_must_belong_to_the_expected_vm(known, claimed, reasons):
    signer = tokens.maa_signer()
    made = tokens.MaaToken(signer, NONCE, vm_id=vm().vm_id, issued=AT, tee=MAA_REPORT)
    token = made.signed()
    found = replace(vms.nonce_evidence(vm()), tokens=AttestationTokens(maa=token))
    found = replace(found, claimed=replace(found.claimed, vm_id=claimed))
    keys = TokenKeySets(maa=tokens.key_set(signer.jwk()))
    policy = policies.load("cpu-only").tokens.model_copy(
        update={"maa_issuers": (tokens.MAA_ISSUER,)}
    )
    judge = Judge("cpu-only", AppraisalInputs(AT, nonce=NONCE, vm_id=known, keys=keys))

    assert judge(found, tokens=policy).reasons == reasons


@pytest.mark.parametrize("policy", ["default", "strict", "cpu-only"])
def test_the_time_of_the_evidence_is_listed_as_unsafe(policy):
    judge = _judge(policy, caller_question(victim(), at_of_maker=True))
    found = judge(gpus.bound_evidence(victim(), gpu()))

    assert found.verdict == "accepted"
    assert found.unsafe == ("at_bundle",)
    assert [words for words in found.not_proven if words.startswith("time")]


def test_the_time_of_a_recorded_challenge_is_a_fact():
    found = Judge("default", caller_question(vm(), challenge_sent=AT))(
        gpus.bound_evidence(vm(), gpu())
    )

    assert found.facts["challenge sent"] == "2026-11-22T12:00:00Z"


def test_a_relay_of_a_simulated_vm_uses_the_same_simulated_roots():
    """Otherwise a refusal above could be for the roots alone."""
    assert relayed().simulated_roots == gpus.bound_evidence(victim(), gpu()).simulated_roots
    assert simulated.simulated_roots(relayed()) is not None


def test_a_host_key_digest_binds_like_the_key():
    digest = hostkey.sha256(HOST_KEY)

    assert binding.binding_of_digest(NONCE, digest, b"", OTHER_ID) == binding.binding(
        NONCE, HOST_KEY, b"", OTHER_ID
    )
