"""The appraisal of a confidential VM: SNP report, runtime claims, quote, event log, policy.

Every step runs even if an earlier one failed, as far as there is input for it, so that one run
reports every reason. A value is `Verified` only if everything that it depends on is.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ccgpu.attest import (
    appraisal,
    boot_identity,
    measured_image,
    policy,
    reference_pcrs,
    tpm_quote,
    workload_log,
    workload_policy,
)
from ccgpu.attest.check import Checks, Outcome, Rule, Unverified, Verified
from ccgpu.attest.cpu_facts import cpu_facts
from ccgpu.attest.freshness import Challenge
from ccgpu.attest.hcl import blob as hcl_blob
from ccgpu.attest.hcl import verify as hcl
from ccgpu.attest.hcl.blob import Blob
from ccgpu.attest.hcl.claims import RuntimeClaims
from ccgpu.attest.roots import Roots
from ccgpu.attest.snp import crl, selection
from ccgpu.attest.snp import report as snp_report
from ccgpu.attest.snp import verify as snp
from ccgpu.attest.snp.report import SnpReport
from ccgpu.attest.vtpm.event_names import NamedEvent
from ccgpu.attest.workload_log import WorkloadEvent
from ccgpu.domain.evidence import CpuEvidence, Evidence
from ccgpu.domain.given_image import GivenImage
from ccgpu.domain.policy import CpuPolicy
from ccgpu.domain.reference_values import ReferenceValues
from ccgpu.domain.workload_policy import WorkloadPolicy

_DESIGN = "Azure CVM guest attestation design"

HCL_ABSENT = Rule("evidence.hcl.absent", "there is an HCL blob of Azure's paravisor", _DESIGN)
HCL_READABLE = Rule("hcl.blob", "the HCL blob can be read", _DESIGN)
REPORT_OTHER = Rule(
    "evidence.report.other", "the report beside the HCL blob is the one in it", _DESIGN
)
REPORT_ABSENT = Rule("evidence.report.absent", "there is an SNP report", "RFC 9334, §4.2")


@dataclass(frozen=True, slots=True)
class CpuContext:
    """What the CPU's evidence is appraised with.

    `recording`: reference values are being written, so that none can be required yet. `workloads`:
    what is demanded of the log of workloads; None for nothing. `image`: the measured image that the
    VM is held to.
    """

    policy: CpuPolicy
    at: datetime
    roots: Roots
    reference_values: ReferenceValues | None
    recording: bool
    workloads: WorkloadPolicy | None = None
    image: GivenImage | None = None


@dataclass(frozen=True, slots=True)
class CpuResult:
    """The result of appraising the CPU's evidence.

    `report`, `claims`: None if unreadable. `pcrs`: SHA-256 PCR values (32 bytes each) of a verified
    quote, else empty. `facts`, `events` (of the boot): for display only. `not_read`: parts of the
    evidence that no check looked at. `workloads`: those that the log of workloads has.
    """

    report: Outcome[SnpReport] | None = None
    claims: Outcome[RuntimeClaims] | None = None
    pcrs: Mapping[int, bytes] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    events: tuple[NamedEvent, ...] = ()
    not_read: tuple[str, ...] = ()
    workloads: Sequence[WorkloadEvent] = ()


def appraise(
    evidence: Evidence, part: CpuEvidence, context: CpuContext, challenge: Challenge, checks: Checks
) -> CpuResult:
    """Make every check on the CPU's evidence; `part` is `evidence.cpu`."""
    # 1. The hardware's report, signed by AMD (AMD SEV-SNP ABI (56860), ATTESTATION_REPORT).
    blob = _parse_blob(part, checks)
    report = _verify_report(evidence, part, blob, context, checks)
    # 2. The runtime claims, whose SHA-256 is the report's REPORT_DATA (Azure CVM design).
    claims = hcl.verify(blob, report, checks) if blob and report else None
    # 3. The quote by the key in the claims, and the event log (TPM 2.0 Part 3, TPM2_Quote).
    required = frozenset(context.policy.required_pcrs)
    quote = tpm_quote.verify(evidence, part, claims, challenge, required, checks)
    # 4. The appraisal policy, on verified values only (RFC 9334, §8.5).
    if isinstance(report, Verified):
        policy.check_processor(report, context.policy, checks)
    if isinstance(claims, Verified):
        policy.check_vm(claims, context.policy, checks)
        policy.check_challenge(claims, challenge.binding, challenge.vm_id, checks)
        boot_identity.check_boot_vm(claims, quote.pcrs, checks)
    policy.check_event_log(part.event_log is not None, context.policy, checks)
    if isinstance(quote.boot, Verified):
        policy.check_boot(quote.boot, context.policy, checks)
    # 5. Reference values for the PCRs (RFC 9334, §8.3).
    demanded = context.policy.require_pins and not context.recording
    reference_pcrs.check(quote, context.reference_values, checks, required=demanded)
    # 6. The workloads that were measured before they started.
    demands = context.workloads
    log = workload_log.verify(part.workload_log, quote.pcrs, checks, required=demands is not None)
    if isinstance(log, Verified) and demands is not None:
        workload_policy.check_workloads(log, demands, checks)
    # 7. The measured image, whose software keeps that log.
    image = context.image
    measured_image.check(quote, image, log, checks, required=context.policy.require_image)
    facts = cpu_facts(report, claims, quote, challenge, context.reference_values)
    facts = {**facts, **image.facts} if image is not None else facts
    events = workload_log.shown_events(log)
    return CpuResult(report, claims, quote.pcrs, facts, quote.events, quote.not_read, events)


def _parse_blob(part: CpuEvidence, checks: Checks) -> Blob | None:
    """The HCL blob; or one made of a report and runtime claims that are files of their own."""
    if part.hcl is None and part.report is not None and part.runtime is not None:
        return Blob(None, part.report, part.runtime)
    if part.hcl is None:
        checks.record(HCL_ABSENT, False, "an HCL blob", None)
        return None
    return checks.parse(HCL_READABLE, hcl_blob.parse, part.hcl, "an HCL blob")


def _verify_report(
    evidence: Evidence,
    part: CpuEvidence,
    blob: Blob | None,
    context: CpuContext,
    checks: Checks,
) -> Outcome[SnpReport] | None:
    """The SNP report, from the blob or bare; None if absent or unreadable."""
    # 1. One report, wherever it stands.
    raw = blob.report if blob else part.report
    if raw is None:
        checks.record(REPORT_ABSENT, False, "an SNP report", None)
        return None
    if blob and part.report is not None:
        same = hmac.compare_digest(blob.report, part.report)
        checks.record(REPORT_OTHER, same, "the same report", "the same" if same else "another")
    report = checks.parse(snp_report.READABLE, snp_report.parse, raw, "an SNP report")
    if report is None:
        return None
    # 2. The collateral for its chip and TCB. Without a certificate there is nothing to verify with.
    chosen = selection.select(report, part, evidence.given, context.roots.amd, context.at)
    if chosen.vek is None:
        others = len(evidence.given.veks)
        absent = f"none of {others} certificates is of this chip at its TCB" if others else None
        checks.record(appraisal.VEK_ABSENT, False, "a VCEK", absent)
        return Unverified(report)
    if context.policy.require_crl:
        # Not part of `snp.verify`: without the list the report is still genuine, so that the
        # policy can appraise it.
        present = bool(chosen.crls)
        checks.record(crl.PRESENT, present, "there", "there" if present else None)
    # 3. Signature, chain and revocation.
    return snp.verify(
        report,
        chosen.vek,
        chosen.chain,
        chosen.crls,
        context.roots.amd,
        context.at,
        checks,
        allow_provisional=context.policy.unsafe_allow_provisional_firmware,
    )
