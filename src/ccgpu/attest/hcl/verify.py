"""Verifies the runtime claims of an HCL blob by their hash in a report.

The paravisor puts SHA-256 of the exact bytes into REPORT_DATA. An equal JSON document in other
bytes does not match.
"""

import hashlib
import hmac
from typing import Protocol

from ccgpu.attest.check import Checks, Outcome, Rule
from ccgpu.attest.hcl import claims
from ccgpu.attest.hcl.blob import Blob
from ccgpu.attest.hcl.claims import RuntimeClaims

_DESIGN = "Azure CVM guest attestation design, report_data"
_BIND = "ccgpu-bind-v1, docs/trust.md"

HASH = Rule("hcl.hash", "REPORT_DATA is SHA-256 of the runtime claims", _DESIGN)
TAIL = Rule("hcl.report-data.tail", "the second half of REPORT_DATA is zero", _DESIGN)
CLAIMS = Rule("hcl.claims", "the runtime claims can be read", _DESIGN)
TPM = Rule("hcl.tpm-enabled", "the VM has a vTPM", _DESIGN)
USER_DATA_ABSENT = Rule("hcl.user-data.absent", "the runtime claims carry user-data", _BIND)
USER_DATA = Rule("hcl.user-data.other", "user-data is the binding B, all 64 bytes of it", _BIND)


class ReportData(Protocol):
    """The part of a report that is needed here."""

    @property
    def report_data(self) -> bytes:
        """REPORT_DATA, 64 bytes."""


def verify(
    blob: Blob, report: Outcome[ReportData], checks: Checks
) -> Outcome[RuntimeClaims] | None:
    """The runtime claims, verified if the report is and holds their hash; None if unreadable."""
    since = checks.checkpoint()
    data = report.value.report_data
    # 1. REPORT_DATA is their SHA-256, and zeros.
    digest = hashlib.sha256(blob.runtime).digest()
    checks.record(HASH, hmac.compare_digest(digest, data[:32]), digest, data[:32])
    checks.record_equal(TAIL, bytes(32), data[32:])
    # 2. They parse, and the VM has a vTPM.
    claims_read = checks.parse(CLAIMS, claims.parse, blob.runtime, "runtime claims")
    if claims_read is None:
        return None
    checks.record_equal(TPM, True, claims_read.tpm_enabled)
    return checks.conclude(claims_read, since, report)


def check_user_data(runtime_claims: RuntimeClaims, binding: bytes, checks: Checks) -> bool:
    """Check that the claims' user-data is `binding` (B, 64 bytes), and return whether it is."""
    data = runtime_claims.user_data
    if data is None:
        return checks.record(USER_DATA_ABSENT, False, "user-data", None)
    return checks.record(USER_DATA, hmac.compare_digest(binding, data), binding, data)
