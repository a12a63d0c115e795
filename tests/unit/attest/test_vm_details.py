"""The verdict on a VM in detail: what a check shows, and evidence in parts of its own."""

from dataclasses import replace

import pytest

from ccgpu.attest import bulletins
from ccgpu.attest.check import Unverified
from ccgpu.attest.cpu import HCL_READABLE
from ccgpu.attest.cpu_facts import cpu_facts
from ccgpu.attest.freshness import Challenge
from ccgpu.attest.hcl import blob as hcl_blob
from ccgpu.attest.snp import report as snp_report
from ccgpu.attest.tpm_quote import QuoteResult
from ccgpu.domain.evidence import CallerCollateral
from ccgpu.domain.policy import MinimumTcb
from ccgpu.domain.reference_values import ReferenceValues
from ccgpu.fakeguest.evidence.amd import SimulatedChip, SimulatedTcb
from support import vms
from support.vms import Judge, nonce_evidence, vm

judge = Judge()


def _with(found, **changes):
    assert found.cpu is not None
    return replace(found, cpu=replace(found.cpu, **changes))


def _shown(found, id_):
    return [(made.ok, made.expected, made.actual) for made in found.checks if made.id == id_]


def _in_parts():
    """Evidence whose report and runtime claims are files of their own, as attestation-rs has it."""
    found = nonce_evidence(vm())
    assert found.cpu is not None
    assert found.cpu.hcl is not None
    parts = hcl_blob.parse(found.cpu.hcl)
    return _with(found, hcl=None, report=parts.report, runtime=parts.runtime)


def test_report_and_claims_may_be_files_of_their_own():
    whole, parts = judge(nonce_evidence(vm())), judge(_in_parts())

    assert parts.reasons == ()
    assert parts.verdict == "accepted"
    assert parts.facts["vm id"] == vm().vm_id
    assert {made.id for made in whole.checks} - {made.id for made in parts.checks} == {
        HCL_READABLE.id
    }


@pytest.mark.parametrize("kept", ["report", "runtime"])
def test_report_or_claims_alone_are_no_blob(kept):
    found = judge(_with(_in_parts(), **{"runtime" if kept == "report" else "report": None}))

    absent = {"evidence.hcl.absent", "vtpm.ak.absent"}
    assert set(found.reasons) == absent | (
        set() if kept == "report" else {"evidence.report.absent"}
    )
    assert _shown(found, "evidence.hcl.absent") == [(False, "an HCL blob", "absent")]
    assert ("product" in found.facts) == (kept == "report")


def test_claims_of_another_report_are_refused():
    assert "hcl.hash" in judge(_with(_in_parts(), runtime=b"{}")).reasons


@pytest.mark.parametrize("same", [True, False])
def test_a_report_beside_the_blob_is_compared_with_the_one_in_it(same):
    found = nonce_evidence(vm())
    assert found.cpu is not None
    assert found.cpu.hcl is not None
    report = hcl_blob.parse(found.cpu.hcl).report if same else bytes(1184)
    shown = (same, "the same report", "the same" if same else "another")

    assert _shown(judge(_with(found, report=report)), "evidence.report.other") == [shown]
    assert _shown(judge(found), "evidence.report.other") == []


def test_certificates_of_other_chips_are_counted():
    found = _with(nonce_evidence(vm()), vek=None)
    assert _shown(judge(found), "collateral.vek.absent") == [(False, "a VCEK", "absent")]
    others = replace(found, given=CallerCollateral(veks=(b"x", b"y")))
    assert _shown(judge(others), "collateral.vek.absent") == [
        (False, "a VCEK", "none of 2 certificates is of this chip at its TCB")
    ]


@pytest.mark.parametrize("changes", [{"quote": b"x"}, {"signature": None}, {"signature": b""}])
def test_values_beside_an_unusable_quote_are_still_named_if_it_does_not_cover_them(changes):
    found = nonce_evidence(vm())
    assert found.cpu is not None
    assert found.cpu.pcrs is not None
    judged = judge(_with(found, pcrs={**found.cpu.pcrs, 50: bytes(32)}, **changes))

    covered = () if "quote" in changes else ("PCR 50 (the quote does not cover it)",)
    assert judged.not_read == covered
    assert judged.pcrs == {}


def test_without_an_event_log_there_are_no_facts_of_the_boot():
    found = judge(_with(nonce_evidence(vm()), event_log=None), cpu={"require_event_log": True})

    assert found.reasons == ("evidence.event-log.absent",)
    assert _shown(found, "evidence.event-log.absent") == [(False, "an event log", "absent")]
    assert "MokSBState" not in found.facts
    assert "PCRs quoted" in found.facts


@pytest.mark.parametrize(
    ("product", "told"),
    [
        ("Genoa", "AMD-SB-3023 (CVE-2025-48514), AMD-SB-3034 (Fabricked), AMD-SB-3021 (Heracles)"),
        ("Milan", "AMD-SB-3030 (BreakFAST)"),
        (None, "none known of"),
    ],
)
def test_facts_list_the_bulletins_of_the_product_that_are_open(product, told):
    report = snp_report.parse(hcl_blob.parse(vms.newest_vm().hcl).report)
    of_it = Unverified(replace(report, product=product))
    facts = cpu_facts(of_it, None, QuoteResult(), Challenge(None, None), None)

    assert facts["product"] == (product or "unknown")
    assert facts[f"bulletins not covered (as of {bulletins.DATE})"] == told


def test_each_tcb_that_differs_is_shown_by_name():
    older = SimulatedTcb(snp=0x15)
    found = judge(nonce_evidence(replace(vm(), report={"launch_tcb": older})))

    assert _shown(found, "policy.tcb.snp") == [
        (False, "23 or more (AMD-SB-3019)", "reported 23, committed 23, current 23, launch 21")
    ]
    assert _shown(found, "policy.tcb.microcode")[0][2] == "84"


@pytest.mark.parametrize("component", ["bootloader", "tee", "snp", "microcode"])
@pytest.mark.parametrize("above", [0, 1])
def test_a_component_at_its_floor_is_new_enough(component, above):
    tcb = SimulatedTcb(bootloader=7, tee=7, snp=7, microcode=7)
    floor = MinimumTcb(
        **{"bootloader": 0, "tee": 0, "snp": 0, "microcode": 0, component: 7 + above}
    )
    found = judge(
        nonce_evidence(replace(vm(), chip=SimulatedChip(tcb))), cpu={"minimum_tcb": floor}
    )

    refused = {made.id for made in found.checks if not made.ok and made.id.startswith("policy.tcb")}
    assert refused == ({f"policy.tcb.{component}"} if above else set())
    assert _shown(found, f"policy.tcb.{component}") == [(not above, f"{7 + above} or more", "7")]


def test_a_policy_without_a_check_does_not_make_it():
    off = {"require_alias_check": False, "require_secure_boot": False, "require_event_log": False}
    made = {made.id for made in judge(nonce_evidence(vm()), cpu=off).checks}

    skipped = {
        "policy.alias-check",
        "policy.secure-boot",
        "policy.secure-boot.measured",
        "policy.secure-boot.moksb",
        "evidence.event-log.absent",
    }
    assert not made & skipped
    assert skipped - {"evidence.event-log.absent"} <= {
        made.id for made in judge(nonce_evidence(vm())).checks
    }


def test_values_of_a_quote_that_is_not_verified_are_not_compared_with_golden_ones():
    golden = ReferenceValues(image="x", pcrs={"7": vm().pcrs[7].hex()})
    inputs = replace(judge.inputs, nonce=b"\x09" * 32, reference_values=golden)
    found = Judge(inputs=inputs)(nonce_evidence(vm()))

    assert _shown(found, "policy.pins.pcr") == []
    assert _shown(found, "policy.pins.unquoted") == [(False, "PCR 7", "none")]
