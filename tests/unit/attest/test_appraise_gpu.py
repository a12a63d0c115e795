"""The verdict on GPUs, alone and with their VM: what each is refused for, and only for that."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from ccgpu.attest.appraisal import JWKS_ABSENT, UNAVAILABLE, VEK_ABSENT
from ccgpu.attest.gpu import manifests, ocsp
from ccgpu.attest.gpu import spdm as reports
from ccgpu.attest.gpu.verify import KNOWN_NONCES
from ccgpu.attest.snp import crl
from ccgpu.domain.evidence import ReportedGpuState
from ccgpu.domain.policy import GpuPolicy
from ccgpu.errors import EvidenceRejected
from ccgpu.fakeguest.evidence import spdm
from ccgpu.store import policies
from support.gpus import GOOD, bound_evidence, gpu, nonce_evidence
from support.vms import Judge, caller_question, newest_vm, pins, vm

judge = Judge("gpu-only")


def _policy(**changes) -> GpuPolicy:
    policy = policies.load("gpu-only").gpu
    assert policy is not None
    return policy.model_copy(update=changes)


def _state(found, state):
    return replace(found, gpus=(replace(found.gpus[0], state=state),))


def test_a_good_gpu_is_accepted_and_marked_simulated():
    found = judge(nonce_evidence(gpu()))

    assert found.reasons == ()
    assert (found.verdict, found.simulated) == ("accepted", True)
    assert found.facts["GPU driver"] == "595.71.05"


def test_simulated_roots_are_trusted_only_on_request():
    found = judge(replace(nonce_evidence(gpu()), simulated_roots=None))

    assert found.verdict == "rejected"
    assert "gpu.chain.root" in found.reasons


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"minimum_driver": "595.71.06"}, "policy.gpu.driver"),
        ({"minimum_driver": "596"}, "policy.gpu.driver"),
        ({"denied_drivers": ("595.71.05",)}, "policy.gpu.driver.denied"),
        ({"allowed_vbios": ("96.00.9F.00.01",)}, "policy.gpu.vbios"),
        ({"denied_vbios": ("96.00.9F.00.04",)}, "policy.gpu.vbios.denied"),
        ({"architectures": ("BLACKWELL",)}, "policy.gpu.architecture"),
        ({"count": 2}, "policy.gpu.count"),
    ],
)
def test_each_requirement_of_the_policy_rejects_by_itself(changes, reason):
    assert judge(nonce_evidence(gpu()), gpu=_policy(**changes)).reasons == (reason,)


@pytest.mark.parametrize(
    "changes",
    [
        {"minimum_driver": "595.71.05"},
        {"minimum_driver": "595.9"},
        {"allowed_vbios": ("96.00.9F.00.04",)},
        {"denied_vbios": ("96.00.9F.00.01",)},
    ],
)
def test_values_allowed_by_the_policy_are_accepted(changes):
    assert judge(nonce_evidence(gpu()), gpu=_policy(**changes)).verdict == "accepted"


def test_two_gpus_are_rejected_where_one_is_expected():
    found = nonce_evidence(gpu())
    two = judge(replace(found, gpus=found.gpus * 2))

    assert two.reasons == ("policy.gpu.count",)
    assert {"GPU 0 driver", "GPU 1 driver"} <= two.facts.keys()


@pytest.mark.parametrize(
    ("state", "reasons"),
    [
        (GOOD, ()),
        (replace(GOOD, ready=True), ()),
        (None, ("policy.gpu.state.absent",)),
        (ReportedGpuState(cc_mode=False, dev_tools=False), ("policy.gpu.cc-mode",)),
        (ReportedGpuState(cc_mode=True, dev_tools=True), ("policy.gpu.dev-tools",)),
    ],
)
def test_a_required_gpu_state_must_be_good(state, reasons):
    found = judge(_state(nonce_evidence(gpu()), state), gpu=_policy(require_state=True))

    assert found.reasons == reasons


def test_an_optional_gpu_state_is_checked_if_present():
    assert judge(_state(nonce_evidence(gpu()), None)).verdict == "accepted"
    bad = judge(_state(nonce_evidence(gpu()), ReportedGpuState(cc_mode=False, dev_tools=True)))
    assert bad.reasons == ("policy.gpu.cc-mode", "policy.gpu.dev-tools")


@pytest.mark.parametrize(
    ("flag", "pcie", "reasons"),
    [
        (1, 0x55, {"gpu.mode.multi-gpu"}),
        (2, 0xAA, {"gpu.mode.protected-pcie", "gpu.pcie.enabled"}),
        (9, 0x55, {"gpu.mode.unknown"}),
    ],
)
def test_other_modes_are_rejected_by_name(flag, pcie, reasons):
    said = (spdm.OpaqueField(36, flag.to_bytes(2, "little")), spdm.OpaqueField(21, bytes([pcie])))
    found = judge(nonce_evidence(replace(gpu(), opaque=said)))

    assert set(found.reasons) == reasons


def test_without_rims_there_is_no_verdict():
    found = nonce_evidence(gpu())
    collateral = replace(found.collateral, rims=())
    judged = judge(replace(found, collateral=collateral))

    assert (judged.verdict, judged.reasons) == ("no_verdict", ("rim.present",))


def test_one_rim_alone_gives_no_verdict():
    found = nonce_evidence(gpu())
    collateral = replace(found.collateral, rims=found.collateral.rims[:1])
    judged = judge(replace(found, collateral=collateral))

    assert judged.reasons == ("rim.present",)
    assert not [check for check in judged.checks if check.id.startswith("golden.")]


def test_without_ocsp_responses_there_is_no_verdict_unless_the_policy_skips_ocsp():
    found = nonce_evidence(gpu())
    silent = replace(found, collateral=replace(found.collateral, ocsp=()))

    assert (judge(silent).verdict, judge(silent).reasons) == ("no_verdict", ("ocsp.absent",))
    skipped = judge(silent, gpu=_policy(require_ocsp=False, unsafe_skip_ocsp=True))
    assert skipped.verdict == "accepted"
    assert skipped.unsafe == ("gpu.unsafe_skip_ocsp",)


def test_stale_ocsp_responses_are_rejected_beyond_the_grace_period():
    ended = datetime(2026, 11, 22, 11, tzinfo=UTC)
    found = nonce_evidence(replace(gpu(), answers={"next_update": ended}))

    with pytest.raises(EvidenceRejected) as caught:
        judge(found).require()
    assert "collateral fetch" in str(caught.value.hint)
    graced = judge(found, gpu=_policy(unsafe_ocsp_grace_hours=2))
    assert (graced.verdict, graced.unsafe) == ("accepted", ("gpu.unsafe_ocsp_grace_hours",))


def test_a_certificate_hold_is_allowed_only_by_override_and_only_for_rims():
    held = nonce_evidence(replace(gpu(), answers={"status": "revoked", "reason": 6}))

    assert "ocsp.hold" in judge(held).reasons
    allowed = judge(held, gpu=_policy(unsafe_allow_hold=True))
    assert allowed.reasons == ("ocsp.hold",)
    told = [check for check in allowed.checks if check.id == "ocsp.hold" and not check.ok]
    assert len(told) == 3  # those of the device


def test_a_published_nonce_needs_the_flag():
    known = min(KNOWN_NONCES)

    assert judge(nonce_evidence(gpu(), known)).reasons == ("gpu.nonce.known",)
    assert (
        judge(nonce_evidence(gpu(), known), gpu=_policy(unsafe_known_nonce=True)).verdict
        == "accepted"
    )


def test_an_unverified_report_is_not_compared_with_the_policy():
    found = nonce_evidence(gpu())
    other = replace(found, gpus=(replace(found.gpus[0], chain=b"x"),))
    judged = judge(other)

    assert judged.verdict == "rejected"
    assert "policy.gpu.driver" not in {check.id for check in judged.checks}


def test_an_unreadable_report_is_rejected():
    found = nonce_evidence(gpu())
    judged = judge(replace(found, gpus=(replace(found.gpus[0], report=b"x"),)))

    assert judged.verdict == "rejected"


both = Judge("default", caller_question(vm()))


def test_a_vm_and_its_gpu_bound_to_this_connection_are_accepted_by_default():
    found = both(bound_evidence(vm(), gpu()))

    assert found.reasons == ()
    assert found.verdict == "accepted"


def test_strict_accepts_newer_firmware_with_pins_and_a_current_list():
    machine = newest_vm()
    found = Judge("strict", caller_question(machine, reference_values=pins(machine)))(
        bound_evidence(machine, gpu())
    )

    assert found.reasons == ()
    assert not [words for words in found.not_proven if words.startswith(("freshness", "the boot"))]


@pytest.mark.slow
def test_the_gpu_of_another_vm_is_rejected():
    stranger = replace(vm(), ak=rsa.generate_private_key(65537, 2048))
    theirs = bound_evidence(stranger, gpu())
    found = replace(bound_evidence(vm(), gpu()), gpus=theirs.gpus)

    assert set(both(found).reasons) == {"vtpm.nonce.other", "gpu.nonce.other"}


def test_gpu_evidence_exchanged_after_the_quote_is_rejected():
    found, later = bound_evidence(vm(), gpu()), bound_evidence(vm(), gpu())
    exchanged = replace(found, gpus=later.gpus)

    assert both(exchanged).reasons == ("vtpm.nonce.other",)


def test_the_nonce_beside_a_report_is_the_one_asked_with():
    found = bound_evidence(vm(), gpu())
    asked = reports.parse(found.gpus[0].report).nonce
    for nonce, reasons in ((asked, ()), (asked[::-1], ("gpu.nonce.claimed",))):
        named = replace(found, gpus=(replace(found.gpus[0], nonce=nonce),))
        assert both(named).reasons == reasons


def test_a_bound_gpu_without_its_vm_is_not_fresh():
    found = replace(bound_evidence(vm(), gpu()), cpu=None)

    assert {"evidence.cpu.absent", "gpu.nonce.unasked"} <= set(both(found).reasons)


def test_unchecked_parts_are_listed():
    found = judge(
        replace(bound_evidence(vm(), gpu()), cpu=None, claimed=nonce_evidence(gpu()).claimed)
    )

    assert any(words.startswith("the CPU and the VM") for words in found.not_proven)


def test_missing_collateral_is_named():
    named = {
        rule.id for rule in (VEK_ABSENT, JWKS_ABSENT, crl.PRESENT, manifests.PRESENT, ocsp.ABSENT)
    }

    assert named == UNAVAILABLE
