"""Checks on the order of a report's four TCBs, independent of a policy's floors."""

from dataclasses import replace

from ccgpu.attest.check import Checks, Rule
from ccgpu.attest.snp.report import SnpReport

_ABI = "AMD SEV-SNP ABI (56860), ATTESTATION_REPORT"

REPORTED = Rule("snp.tcb.reported", "the reported TCB is not above the current", f"{_ABI}, TCB")
COMMITTED = Rule("snp.tcb.committed", "the committed TCB is not above the current", f"{_ABI}, TCB")
LAUNCH = Rule("snp.tcb.launch", "the TCB at launch is not above the current", f"{_ABI}, TCB")
PROVISIONAL = Rule(
    "snp.tcb.provisional",
    "the host cannot go back to older firmware: all of it is committed",
    "AMD SEV-SNP ABI (56860), SNP_COMMIT",
)
VERSION = Rule(
    "snp.version.provisional",
    "the firmware that runs is the committed one",
    f"{_ABI}, CURRENT_BUILD to COMMITTED_MAJOR",
)


def verify(report: SnpReport, checks: Checks, *, allow_provisional: bool = False) -> None:
    """Check that no TCB is above the current one, and that all firmware is committed.

    `allow_provisional` skips the second: the host could then roll firmware back.
    """
    current, committed = report.current_tcb, report.committed_tcb
    at_most = f"at most {current}"
    for rule, lower in (
        (REPORTED, report.reported_tcb),
        (COMMITTED, committed),
        (LAUNCH, report.launch_tcb),
    ):
        checks.record(rule, current.at_least(lower), at_most, lower)
    if allow_provisional:
        return
    # Microcode that the host loads after boot is current and not committed: seen on Azure's Milan.
    # A policy's least TCB holds for the committed one too, so going back gains the host nothing.
    running = replace(current, microcode=committed.microcode)
    checks.record(PROVISIONAL, running == committed, committed, current)
    checks.record_equal(VERSION, report.committed_version, report.current_version)
