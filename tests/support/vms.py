"""Simulated confidential VMs, their evidence and its appraisal. Keys are generated once."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from ccgpu.attest import binding, simulated
from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.appraise import AppraisalInputs, appraise
from ccgpu.domain import hostkey
from ccgpu.domain.evidence import CpuEvidence, Evidence, UnverifiedContext
from ccgpu.domain.reference_values import PINNED_PCRS, ReferenceValues
from ccgpu.fakeguest.evidence import amd as amds
from ccgpu.fakeguest.evidence import snp
from ccgpu.fakeguest.evidence.cpu import CollectedCpuEvidence, SimulatedVm
from ccgpu.store import policies

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NONCE = bytes(range(32))
HOST_KEY = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + b"\x07" * 32
# What Microsoft's service says of the report that `vm` makes.
MAA_REPORT = {
    "x-ms-sevsnpvm-reportid": "1D" * 32,
    "x-ms-sevsnpvm-launchmeasurement": "5a" * 48,
    "x-ms-sevsnpvm-idkeydigest": snp.AZURE_ID_KEY_DIGEST.hex(),
    "x-ms-sevsnpvm-hostdata": "00" * 32,
    "x-ms-sevsnpvm-guestsvn": 0x1000B,
}


@cache
def vm() -> SimulatedVm:
    """A VM like Azure's on Genoa."""
    ak = rsa.generate_private_key(65537, 2048)
    return SimulatedVm(amds.make_authorities("Genoa", bits=2048), ak)


@cache
def newest_vm() -> SimulatedVm:
    """A VM whose firmware and paravisor the policy `strict` accepts: Azure's in late 2026."""
    mitigated = {"launch_mit_vector": 7, "current_mit_vector": 7}
    return replace(
        vm(),
        chip=amds.SimulatedChip(amds.SimulatedTcb(snp=0x1B, microcode=0x58)),
        report={"version": 5, "guest_svn": 0x1000D, **mitigated},
    )


def amd_roots(machine: SimulatedVm) -> dict[str, bytes]:
    """The simulated AMD roots as in a bundle."""
    amd = machine.amd
    return {simulated.ARK: amd.ark, simulated.ASK: amd.ask, simulated.ASVK: amd.asvk}


def cpu_evidence(found: CollectedCpuEvidence) -> CpuEvidence:
    """The collected files as evidence."""
    return CpuEvidence(
        hcl=found.hcl,
        vek=found.vek,
        chain=found.chain,
        quote=found.quote,
        signature=found.signature,
        pcrs=found.pcrs,
        event_log=found.event_log,
        workload_log=found.workload_log,
    )


def nonce_evidence(machine: SimulatedVm, nonce: bytes = NONCE) -> Evidence:
    """Evidence for a plain nonce."""
    return Evidence(
        "bundle",
        claimed=UnverifiedContext(nonce, made_at=AT),
        cpu=cpu_evidence(machine.collect(nonce)),
        simulated_roots=amd_roots(machine),
    )


def bound_evidence(machine: SimulatedVm, **changes: Any) -> Evidence:
    """Evidence bound to a VM and its host key. `changes`: claimed context."""
    said = UnverifiedContext(NONCE, "ccgpu-bind-v1", HOST_KEY, b"", machine.vm_id, AT)
    value = binding.binding(NONCE, HOST_KEY, b"", machine.vm_id)
    there = machine.bound_to(value)
    pieces = binding.encode_collected(there.hcl, b"", b"", there.events.raw, b"", b"")
    collected = there.collect(binding.qualifying_data(value, pieces))
    # ECDSA signs anew each time: the blob that was quoted is the one that is handed in.
    found = replace(cpu_evidence(collected), hcl=_first_piece(pieces))
    return Evidence(
        "bundle",
        claimed=replace(said, **changes),
        cpu=found,
        simulated_roots=amd_roots(machine),
    )


def _first_piece(pieces: bytes) -> bytes:
    """The first piece of E."""
    return pieces[4 : 4 + int.from_bytes(pieces[:4], "big")]


def caller_question(machine: SimulatedVm, **changes: Any) -> AppraisalInputs:
    """The inputs of a caller who knows the challenge and its time."""
    key = hostkey.sha256(HOST_KEY)
    return replace(AppraisalInputs(AT, nonce=NONCE, vm_id=machine.vm_id, host_key=key), **changes)


def pins(machine: SimulatedVm, **changes: str) -> ReferenceValues:
    """The machine's golden PCR values. `changes`: values (hex) by `pcr` and index."""
    values = {str(index): machine.pcrs[index].hex() for index in sorted(PINNED_PCRS)}
    others = {name.removeprefix("pcr"): value for name, value in changes.items()}
    return ReferenceValues(image="x", pcrs=values | others)


@dataclass(frozen=True)
class Judge:
    """Appraises evidence with a policy and with what the caller knows."""

    policy: str = "cpu-only"
    inputs: AppraisalInputs = field(default_factory=lambda: AppraisalInputs(AT))

    def __call__(self, found: Evidence, **changes: Any) -> Appraisal:
        """Appraise. `changes` are fields of the policy (`cpu` as a nested mapping)."""
        policy = policies.load(self.policy)
        if "cpu" in changes and policy.cpu is not None:
            changes["cpu"] = policy.cpu.model_copy(update=changes["cpu"])
        return appraise(
            found,
            policy.model_copy(update=changes),
            self.inputs,
            simulated.simulated_roots(found),
        )
