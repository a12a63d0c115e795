"""What a verified report and verified claims state of a VM, to compare tokens with."""

from dataclasses import dataclass

from ccgpu.attest.check import Outcome, Verified
from ccgpu.attest.hcl.claims import RuntimeClaims
from ccgpu.attest.snp.report import SnpReport


@dataclass(frozen=True, slots=True)
class VmIdentity:
    """Fields of a verified SNP report; ids and digests are lower-case hex.

    `secure_boot`: of the runtime claims; None if these are not verified.
    """

    report_id: str
    measurement: str
    id_key_digest: str
    host_data: str
    guest_svn: int
    vmpl: int
    debug: bool
    secure_boot: bool | None


def identity_of(
    report: Outcome[SnpReport] | None, claims: Outcome[RuntimeClaims] | None
) -> VmIdentity | None:
    """The identity of the VM; None if the report is not verified."""
    if not isinstance(report, Verified):
        return None
    secure_boot = claims.value.secure_boot if isinstance(claims, Verified) else None
    return VmIdentity(
        report_id=report.value.report_id.hex(),
        measurement=report.value.measurement.hex(),
        id_key_digest=report.value.id_key_digest.hex(),
        host_data=report.value.host_data.hex(),
        guest_svn=report.value.guest_svn,
        vmpl=report.value.vmpl,
        debug=report.value.policy.debug,
        secure_boot=secure_boot,
    )
