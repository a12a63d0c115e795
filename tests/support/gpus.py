"""Simulated GPUs, alone and in a confidential VM, as evidence. Keys are generated once."""

from dataclasses import replace
from functools import cache
from typing import Any

from ccgpu.attest import binding, simulated
from ccgpu.domain.evidence import (
    CpuEvidence,
    Evidence,
    GpuCollateral,
    GpuEvidence,
    ReportedGpuState,
    UnverifiedContext,
)
from ccgpu.fakeguest.evidence.cpu import SimulatedVm
from ccgpu.fakeguest.evidence.gpu import CollectedGpuEvidence, SimulatedGpu
from support.vms import AT, HOST_KEY, NONCE, amd_roots, cpu_evidence, vm

GOOD = ReportedGpuState(cc_mode=True, dev_tools=False, ready=False)


@cache
def gpu() -> SimulatedGpu:
    """A GPU like Azure's."""
    return SimulatedGpu()


def simulated_roots(machine: SimulatedVm, one: SimulatedGpu) -> dict[str, bytes]:
    """The simulated roots as in a bundle."""
    nvidia = {simulated.NVIDIA_DEVICE: one.device.root, simulated.NVIDIA_RIM: one.rims.root}
    return amd_roots(machine) | nvidia


def _gpu_evidence(
    found: CollectedGpuEvidence, state: ReportedGpuState | None = GOOD
) -> GpuEvidence:
    return GpuEvidence("HOPPER", found.report, found.chain, state=state)


def _collateral(found: CollectedGpuEvidence) -> GpuCollateral:
    return GpuCollateral(tuple(found.rims), tuple(found.ocsp))


def nonce_evidence(one: SimulatedGpu, nonce: bytes = NONCE) -> Evidence:
    """Evidence of a single GPU for a plain nonce."""
    found = one.collect(nonce)
    return Evidence(
        "bundle",
        claimed=UnverifiedContext(nonce, made_at=AT),
        gpus=(_gpu_evidence(found),),
        collateral=_collateral(found),
        simulated_roots=simulated_roots(vm(), one),
    )


def bound_evidence(
    machine: SimulatedVm,
    one: SimulatedGpu,
    bound_to: tuple[str, bytes] | None = None,
    **changes: Any,
) -> Evidence:
    """Evidence of a VM and its GPU with the binding of `ccgpu-bind-v1`. `changes`: claimed context.

    `bound_to`: the vmId and host key of the binding, by default the VM's own.
    """
    vm_id, host_key = bound_to or (machine.vm_id, HOST_KEY)
    said = UnverifiedContext(NONCE, "ccgpu-bind-v1", host_key, b"", vm_id, AT)
    value = binding.binding(NONCE, host_key, b"", vm_id)
    there = machine.bound_to(value)
    modulus = there.ak.public_key().public_numbers().n.to_bytes(256, "big")
    found = one.collect(binding.gpu_nonce(value, modulus))
    blob, log = there.hcl, there.events.raw
    pieces = binding.encode_collected(blob, found.report, found.chain, log, b"", found.state)
    part = cpu_evidence(there.collect(binding.qualifying_data(value, pieces)))
    crl = machine.amd.crl().signed_by(machine.amd.ark_key)
    whole: CpuEvidence = replace(part, hcl=blob, crl=crl)
    return Evidence(
        "bundle",
        claimed=replace(said, **changes),
        cpu=whole,
        gpus=(replace(_gpu_evidence(found, None), state_document=found.state),),
        collateral=_collateral(found),
        simulated_roots=simulated_roots(machine, one),
    )
