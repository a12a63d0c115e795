"""A simulated confidential VM: the evidence of its CPU and vTPM."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from ccgpu.fakeguest.evidence import eventlog, hcl, quote, snp
from ccgpu.fakeguest.evidence.amd import AmdAuthorities, SimulatedChip

Changes = Mapping[str, Any]
_WORKLOADS = 13  # the PCR of the log of workloads


@dataclass(frozen=True, slots=True)
class CollectedCpuEvidence:
    """What a collector in the VM writes to files."""

    hcl: bytes
    vek: bytes
    chain: bytes
    quote: bytes
    signature: bytes
    pcrs: Mapping[int, bytes]
    event_log: bytes
    workload_log: bytes | None = None


@dataclass(frozen=True, slots=True)
class SimulatedVm:
    """A VM on a chip, with an attestation key.

    `configuration`, `report` and `boot` change the runtime claims, the SNP report and the boot.
    `log`: the events of another boot than the usual one. `workloads`: the lines that the guest
    measured to PCR 13 after the boot, and logs.
    """

    amd: AmdAuthorities
    ak: rsa.RSAPrivateKey
    chip: SimulatedChip = field(default_factory=SimulatedChip)
    user_data: bytes = bytes(64)
    vm_id: str = hcl.VM_UNIQUE_ID
    configuration: Changes = field(default_factory=dict)
    report: Changes = field(default_factory=dict)
    boot: Changes = field(default_factory=dict)
    workloads: Sequence[bytes] = ()
    log: Sequence[eventlog.SimulatedEvent] = ()

    @property
    def runtime(self) -> bytes:
        """The runtime claims as the bytes that are hashed."""
        claims = hcl.runtime_claims(self.ak.public_key(), self.user_data, self.vm_id)
        claims["vm-configuration"] |= self.configuration
        return hcl.encode_claims(claims)

    @property
    def hcl(self) -> bytes:
        """The HCL blob."""
        report = snp.snp_report(
            self.chip, **{"report_data": hcl.report_data(self.runtime), **self.report}
        )
        return hcl.HclBlob(report.signed_by(self.chip.key), self.runtime).raw

    @property
    def events(self) -> eventlog.SimulatedEventLog:
        """The event log of the boot."""
        if self.log:
            return eventlog.SimulatedEventLog(self.log)
        return eventlog.SimulatedEventLog(
            eventlog.boot_events(**{"vm_unique_id": self.vm_id, **self.boot})
        )

    @property
    def pcrs(self) -> dict[int, bytes]:
        """The values of all 24 PCRs after the boot and what was measured then."""
        values = eventlog.pcr_values(self.events.events)
        for line in self.workloads:
            digest = hashlib.sha256(line).digest()
            values[_WORKLOADS] = hashlib.sha256(values[_WORKLOADS] + digest).digest()
        return values

    def bound_to(self, user_data: bytes) -> "SimulatedVm":
        """The same VM after 64 bytes were written to NV index 0x01400002."""
        return replace(self, user_data=user_data)

    def collect(self, qualifying_data: bytes) -> CollectedCpuEvidence:
        """The VM's evidence. The quote contains the qualifying data."""
        message = quote.QuoteTemplate(self.pcrs, qualifying_data).raw
        return CollectedCpuEvidence(
            hcl=self.hcl,
            vek=self.amd.vcek(self.chip).signed_by(self.amd.ask_key),
            chain=self.amd.chain,
            quote=message,
            signature=quote.sign_quote(self.ak, message),
            pcrs=self.pcrs,
            event_log=self.events.raw,
            workload_log=b"".join(line + b"\n" for line in self.workloads) or None,
        )
