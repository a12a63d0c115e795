"""A simulated confidential VM: everything its CPU and vTPM can be asked for, signed and whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from ccgpu.fakeguest.evidence import eventlog, hcl, quote, snp
from ccgpu.fakeguest.evidence.amd import Amd, Chip

Changes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collector brings home: bytes as they are written to files."""

    hcl: bytes
    vek: bytes
    chain: bytes
    quote: bytes
    signature: bytes
    pcrs: Mapping[int, bytes]
    event_log: bytes


@dataclass(frozen=True, slots=True)
class ConfidentialVm:
    """A VM on a chip, with an AK. `claims`, `report`, `boot`: what is unusual about them."""

    amd: Amd
    ak: rsa.RSAPrivateKey
    chip: Chip = field(default_factory=Chip)
    user_data: bytes = bytes(64)
    vm_id: str = hcl.VM_UNIQUE_ID
    configuration: Changes = field(default_factory=dict)
    report: Changes = field(default_factory=dict)
    boot: Changes = field(default_factory=dict)

    @property
    def runtime(self) -> bytes:
        """The runtime claims, those bytes that are hashed."""
        claims = hcl.runtime_claims(self.ak.public_key(), self.user_data, self.vm_id)
        claims["vm-configuration"] |= self.configuration
        return hcl.encoded(claims)

    @property
    def hcl(self) -> bytes:
        """The HCL blob."""
        report = snp.report(
            self.chip, **{"report_data": hcl.report_data(self.runtime), **self.report}
        )
        return hcl.Hcl(report.signed_by(self.chip.key), self.runtime).raw

    @property
    def events(self) -> eventlog.Log:
        """The event log of its boot."""
        return eventlog.Log(eventlog.boot(**self.boot))

    @property
    def pcrs(self) -> dict[int, bytes]:
        """The values of all 24 PCRs after that boot."""
        return eventlog.pcr_values(self.events.events)

    def bound_to(self, user_data: bytes) -> "ConfidentialVm":
        """The same after somebody wrote 64 bytes to NV 0x01400002."""
        return replace(self, user_data=user_data)

    def collect(self, qualifying_data: bytes) -> Collected:
        """Its evidence, with a quote that carries this."""
        message = quote.Quote(self.pcrs, qualifying_data).raw
        return Collected(
            hcl=self.hcl,
            vek=self.amd.vcek(self.chip).signed_by(self.amd.ask_key),
            chain=self.amd.chain,
            quote=message,
            signature=quote.sign(self.ak, message),
            pcrs=self.pcrs,
            event_log=self.events.raw,
        )
