"""What accepted evidence states of a VM, for the claims that are expected of Microsoft's token."""

from ccgpu.attest.hcl import blob, claims
from ccgpu.attest.snp import report
from ccgpu.domain.evidence import CpuEvidence
from ccgpu.domain.release_claims import ReportedVm


def reported_vm(cpu: CpuEvidence) -> ReportedVm | None:
    """The statements of evidence that a verdict has accepted; None if it has no claims.

    Nothing is verified here.
    """
    raw, runtime = cpu.report, cpu.runtime
    if cpu.hcl is not None:
        whole = blob.parse(cpu.hcl)
        raw, runtime = whole.report, whole.runtime
    if raw is None or runtime is None:
        return None
    found, configuration = report.parse(raw), claims.parse(runtime)
    return ReportedVm(
        vm_id=configuration.vm_unique_id,
        secure_boot=configuration.secure_boot,
        measurement=found.measurement.hex(),
        id_key_digest=found.id_key_digest.hex(),
        host_data=found.host_data.hex(),
        guest_svn=found.guest_svn,
        vmpl=found.vmpl,
        debug=found.policy.debug,
        migration=found.policy.migration_agent,
        smt=found.policy.smt,
    )
