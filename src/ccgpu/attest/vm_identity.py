"""What a believed report and believed claims say of a VM, to hold other people's words against."""

from dataclasses import dataclass

from ccgpu.attest.check import Outcome, Verified
from ccgpu.attest.hcl.claims import RuntimeClaims
from ccgpu.attest.snp.report import SnpReport


@dataclass(frozen=True, slots=True)
class VmIdentity:
    """The SNP report and runtime claims that were verified here; digests in lower-case hex.

    `secure_boot` is None where the runtime claims are not believed.
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
    """What is known of the VM to compare a token with: nothing that is not believed."""
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
