"""The CPU's half of a verdict: report, runtime claims, quote, event log, then the policy.

Each step is made even when the one before it failed, as far as there is anything to look at, so
that one run shows every reason; what is believed needs everything under it to be verified.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ccgpu.attest import appraisal, policy
from ccgpu.attest.check import Checks, Outcome, Rule, Unverified, Verified
from ccgpu.attest.cpu_facts import facts_of
from ccgpu.attest.freshness import Asked
from ccgpu.attest.hcl import blob as hcl_blob
from ccgpu.attest.hcl import verify as hcl
from ccgpu.attest.hcl.blob import Blob
from ccgpu.attest.hcl.claims import Claims
from ccgpu.attest.quoted import quoted
from ccgpu.attest.roots import Roots
from ccgpu.attest.snp import crl, selection
from ccgpu.attest.snp import report as snp_report
from ccgpu.attest.snp import verify as snp
from ccgpu.attest.snp.report import Report
from ccgpu.domain.evidence import CpuEvidence, Evidence
from ccgpu.domain.policy import CpuPolicy, Pins

_DESIGN = "Azure CVM guest attestation design"

HCL_ABSENT = Rule("evidence.hcl.absent", "Azure's paravisor speaks for the VM", _DESIGN)
HCL_READ = Rule("hcl.blob", "the HCL blob can be read", _DESIGN)
REPORT_OTHER = Rule(
    "evidence.report.other", "the report beside the HCL blob is the one in it", _DESIGN
)
REPORT_ABSENT = Rule("evidence.report.absent", "there is an SNP report", "RFC 9334, §4.2")


@dataclass(frozen=True, slots=True)
class Context:
    """What the evidence is held against."""

    policy: CpuPolicy
    at: datetime
    roots: Roots
    pins: Pins | None
    recording: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What came out: report and claims, believed or not, the PCRs of a good quote, facts.

    `not_read`: what came along and plays no part.
    """

    report: Outcome[Report] | None = None
    claims: Outcome[Claims] | None = None
    pcrs: Mapping[int, bytes] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    not_read: tuple[str, ...] = ()


def appraise(
    found: Evidence, part: CpuEvidence, context: Context, asked: Asked, checks: Checks
) -> Seen:
    """Make every check on the CPU's evidence."""
    blob = _blob(part, checks)
    report = _report(found, part, blob, context, checks)
    claims = hcl.verify(blob, report, checks) if blob and report else None
    answer = quoted(found, part, claims, asked, frozenset(context.policy.required_pcrs), checks)
    if isinstance(report, Verified):
        policy.processor(report, context.policy, checks)
    if isinstance(claims, Verified):
        policy.machine(claims, context.policy, checks)
        policy.asked_for(claims, asked.bound, asked.vm_id, checks)
    policy.event_log(part.event_log is not None, context.policy, checks)
    if isinstance(answer.boot, Verified):
        policy.booted(answer.boot, context.policy, checks)
    required = context.policy.require_pins and not context.recording
    policy.pinned(answer.pcrs, context.pins, checks, required=required)
    facts = facts_of(report, claims, answer, asked)
    return Seen(report, claims, answer.pcrs, facts, answer.not_read)


def _blob(part: CpuEvidence, checks: Checks) -> Blob | None:
    if part.hcl is None and part.report is not None and part.runtime is not None:
        return Blob(None, part.report, part.runtime)
    if part.hcl is None:
        checks.that(HCL_ABSENT, False, "an HCL blob", None)
        return None
    return checks.read(HCL_READ, hcl_blob.parse, part.hcl, "an HCL blob")


def _report(
    found: Evidence, part: CpuEvidence, blob: Blob | None, context: Context, checks: Checks
) -> Outcome[Report] | None:
    """The SNP report, from the blob or bare, verified as far as its certificate is at hand."""
    raw = blob.report if blob else part.report
    if raw is None:
        checks.that(REPORT_ABSENT, False, "an SNP report", None)
        return None
    if blob and part.report is not None:
        same = hmac.compare_digest(blob.report, part.report)
        checks.that(REPORT_OTHER, same, "the same report", "the same" if same else "another")
    report = checks.read(snp_report.READABLE, snp_report.parse, raw, "an SNP report")
    if report is None:
        return None
    chosen = selection.select(report, part, found.given, context.roots.amd, context.at)
    if chosen.vek is None:
        others = len(found.given.veks)
        absent = f"none of {others} certificates is of this chip at its TCB" if others else None
        checks.that(appraisal.VEK_ABSENT, False, "a VCEK", absent)
        return Unverified(report)
    if context.policy.require_crl:
        # Want of collateral: the report is no less genuine, and the policy can look at it.
        there = bool(chosen.crls)
        checks.that(crl.PRESENT, there, "there", "there" if there else None)
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
