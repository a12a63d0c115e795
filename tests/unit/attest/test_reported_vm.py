"""What evidence states of a VM, as the claims of Microsoft's token would state it."""

from dataclasses import replace

from ccgpu.attest.hcl import blob
from ccgpu.attest.reported_vm import reported_vm
from ccgpu.domain.evidence import CpuEvidence
from support.vms import nonce_evidence, vm


def _cpu() -> CpuEvidence:
    cpu = nonce_evidence(vm()).cpu
    assert cpu is not None
    return cpu


def test_report_and_claims_are_read_from_the_blob():
    found = reported_vm(_cpu())
    assert found is not None
    assert (found.secure_boot, found.debug, found.migration, found.vmpl) == (True, False, False, 0)
    assert len(found.measurement) == len(found.id_key_digest) == 96
    assert len(found.host_data) == 64
    assert found.vm_id.lower() == vm().vm_id.lower()


def test_files_of_their_own_say_the_same():
    cpu = _cpu()
    whole = blob.parse(cpu.hcl or b"")
    alone = replace(cpu, hcl=None, report=whole.report, runtime=whole.runtime)
    assert reported_vm(alone) == reported_vm(cpu)


def test_without_either_nothing_is_stated():
    cpu = replace(_cpu(), hcl=None, report=None, runtime=None)
    assert reported_vm(cpu) is None
    whole = blob.parse(_cpu().hcl or b"")
    assert reported_vm(replace(cpu, report=whole.report)) is None
    assert reported_vm(replace(cpu, runtime=whole.runtime)) is None
