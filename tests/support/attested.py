"""VMs with a software TPM from which evidence is collected, and the verdict on it."""

from collections.abc import Iterator
from contextlib import contextmanager

from ccgpu.domain.bundle import Collateral, EvidenceBundle
from ccgpu.fakeguest.evidence import eventlog, hcl
from support.cli import CommandResult, Shell
from support.collecting import CollectingVm, collecting_vm
from support.gpus import simulated_roots
from support.paravisor import Paravisor
from support.swtpm import SoftwareTpm
from support.vms import HOST_KEY, NONCE, vm

_AT = "2026-11-22T12:00:00Z"
EVENTS = tuple(
    event
    for event in eventlog.boot_events(vm_unique_id=hcl.VM_UNIQUE_ID)
    if event != eventlog.locality_event(3)
)  # swtpm starts at locality 0


@contextmanager
def running_vm(tpm: SoftwareTpm, size: int) -> Iterator[CollectingVm]:
    """A VM whose claims have this size; the TPM holds those that fit."""
    with tpm.connected() as connection:
        stored = size <= 2048
        there = Paravisor(vm().amd, tpm.ak(), connection.exchange, size, stored=stored)
        with collecting_vm(there, eventlog.SimulatedEventLog(EVENTS).raw) as machine:
            yield machine


def judge(
    shell: Shell, machine: CollectingVm, bundle: EvidenceBundle, more: str = ""
) -> CommandResult:
    """The verdict of `ccgpu verify`, with the vendors' collateral."""
    there, (gpu,) = machine.paravisor, bundle.gpus
    assert bundle.cpu is not None
    one = machine.gpu.device
    collateral = one.collect(gpu.nonce or b"")
    crl = there.amd.crl().signed_by(there.amd.ark_key)
    parts = {"vek": there.vek, "chain": there.amd.chain, "crl": crl}
    whole = bundle.model_copy(
        update={
            "cpu": bundle.cpu.model_copy(update=parts),
            "collateral": Collateral(rims=tuple(collateral.rims), ocsp=tuple(collateral.ocsp)),
            "simulated_roots": simulated_roots(vm(), one),
        }
    )
    file = shell.folder / "bundle.json"
    file.write_text(whole.model_dump_json(by_alias=True, exclude_none=True))
    (shell.folder / "key").write_bytes(HOST_KEY)
    known = f"--nonce {NONCE.hex()} --host-key {shell.folder}/key --vm-id {there.vm_id}"
    return shell(f"verify {file} --at {_AT} {more or known + ' --backend fake'} -o json")


def refusals(done: CommandResult) -> set[str]:
    """The checks that failed."""
    return {one["id"] for one in done.document["checks"] if not one["ok"]}
