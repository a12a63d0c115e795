"""What a simulated VM runs on: its processor and vTPM, and its GPU, by the simulated vendors.

Chip and GPU are derived from the VM's id, the attestation key is made at the first use and kept.
Versions are those of a real VM of this size of September 2026.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ccgpu.fakeguest.evidence import pki, quote, spdm
from ccgpu.fakeguest.evidence.amd import SimulatedTcb
from ccgpu.fakeguest.evidence.cpu import SimulatedVm
from ccgpu.fakeguest.evidence.eventlog import SimulatedEvent
from ccgpu.fakeguest.evidence.uki import measured_boot_events
from ccgpu.fakeguest.guest import VBIOS, SimulatedGuest
from ccgpu.fakeguest.measured import measured_config
from ccgpu.fakeguest.vendors import SimulatedVendors

AK_FACT = "vtpm-ak"  # the fact that keeps the attestation key (PEM)
_IMA = 10  # the PCR of Linux's Integrity Measurement Architecture, which no firmware log explains
_CONFIG = 8  # the PCR of a measured image's config
_WORKLOADS = 13  # the PCR of the log of workloads
_MACHINE = 15  # the PCR of systemd's system identity: machine id and disks
_DEBUG = 1 << 19  # AMD SEV-SNP ABI (56860), guest policy
_TCB, _OLD_TCB = SimulatedTcb(snp=0x1B, microcode=0x58), SimulatedTcb(snp=0x16, microcode=0x53)
_REPORT: Mapping[str, int] = {
    "version": 5,
    "guest_svn": 0x1000D,
    "launch_mit_vector": 7,
    "current_mit_vector": 7,
    "current_build": 49,
    "committed_build": 49,
}
_CHANGED: Mapping[str, Mapping[str, int]] = {
    "old-paravisor": {"guest_svn": 0x10009},
    "debug": {"policy": 0x3001F | _DEBUG},
}
_OTHER_INDEX = 9  # a measurement that the manifest of the VBIOS has


@lru_cache(maxsize=256)
def _make_key(_vm_id: str) -> str:
    """A new key (PEM). Simulations of one process that repeat a VM's id share it, to save time."""
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@lru_cache(maxsize=256)
def _load_key(text: str) -> rsa.RSAPrivateKey:
    # The key is our own: to check it would take 70 ms.
    key = load_pem_private_key(text.encode(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the attestation key in the state is no RSA key")
    return key


@dataclass(frozen=True)
class SimulatedHardware:
    """The processor, vTPM and GPU of one VM."""

    vendors: SimulatedVendors
    guest: SimulatedGuest

    @cached_property
    def ak(self) -> rsa.RSAPrivateKey:
        """The vTPM's attestation key (RSA-2048), which a VM never changes."""
        machine = self.guest.machine
        text = machine.rows.fact(AK_FACT)
        if text is None:
            text = _make_key(machine.vm_id)
            machine.rows.record(AK_FACT, text)
        return _load_key(text)

    @cached_property
    def vm(self) -> SimulatedVm:
        """The VM's processor and vTPM, as it booted."""
        guest, machine = self.guest, self.guest.machine
        state = guest.settings["evidence"]
        name = f"{machine.vm_id}/{guest.boot_id}"
        return SimulatedVm(
            amd=self.vendors.amd,
            ak=self.ak,
            chip=self.vendors.chip(machine.vm_id, _OLD_TCB if state == "old-firmware" else _TCB),
            vm_id=machine.vm_id.upper(),
            configuration={"secure-boot": machine.secure_boot},
            report={
                **_REPORT,
                **_CHANGED.get(state, {}),
                "report_id": hashlib.sha256(name.encode()).digest(),
            },
            boot={
                "secure_boot": machine.secure_boot,
                "kernel": f"vmlinuz of {guest.kernel}".encode(),
                "initrd": f"initrd of {guest.kernel}".encode(),
                "version": f"-{guest.kernel}",
            },
            log=self._measured_boot,
        )

    @property
    def _measured_boot(self) -> Sequence[SimulatedEvent]:
        """The events of a measured image's boot; none of another one's."""
        machine = self.guest.machine
        if machine.manifest is None:
            return ()
        vm_id, uki = machine.vm_id.upper(), machine.manifest["uki"]
        return measured_boot_events(uki, vm_id, secure_boot=machine.secure_boot)

    @cached_property
    def pcrs(self) -> Mapping[int, bytes]:
        """The SHA-256 bank: what the event log explains, Linux's measurements, and workloads."""
        values = dict(self.vm.pcrs)
        aggregate = hashlib.sha256(b"".join(values[index] for index in range(10))).digest()
        machine = hashlib.sha256(f"machine-id:{self.guest.machine.vm_id}".encode()).digest()
        # A measured image masks what would extend PCR 15, and measures its config to PCR 8.
        own = (_MACHINE, machine)
        if self.guest.is_measured:
            own = (_CONFIG, measured_config(self.guest.machine))
        for index, measured in ((_IMA, aggregate), own):
            values[index] = hashlib.sha256(values[index] + measured).digest()
        values[_WORKLOADS] = self.guest.pcr13
        return values

    def quote(self, qualifying_data: bytes) -> tuple[bytes, bytes]:
        """A quote of all PCRs (TPMS_ATTEST) and its signature (TPMT_SIGNATURE)."""
        boots = self.guest.machine.boots
        clock = int((self.guest.now - boots[0].began) * 1000)  # milliseconds
        message = quote.QuoteTemplate(
            self.pcrs, qualifying_data, clock=clock, reset_count=len(boots)
        ).raw
        return message, quote.tpmt_signature(quote.sign_quote(self.ak, message))

    def thim_answer(self) -> bytes:
        """What Azure's certificate service tells the VM: its VCEK and AMD's chain, in JSON."""
        amd, chip = self.vendors.amd, self.vm.chip
        answer = {
            "vcekCert": pki.pem(amd.vcek(chip).signed_by(amd.ask_key)).decode(),
            "tcbm": chip.tcb.raw[::-1].hex().upper(),
            "certificateChain": amd.chain.decode(),
            "cacheControl": "86400",
        }
        return json.dumps(answer).encode()

    def gpu_evidence(self, nonce: bytes) -> tuple[bytes, bytes]:
        """The GPU's signed report for a nonce (32 bytes), and its certificates (PEM)."""
        device = self.vendors.gpu(self.guest.gpu_uuid)
        other = {_OTHER_INDEX: hashlib.sha384(b"other firmware").digest()}
        is_other = self.guest.settings["evidence"] == "gpu-firmware"
        report = spdm.gpu_report(nonce, device.fwid, other if is_other else None)
        fields = spdm.opaque_fields(device.fwid, self.guest.module_version, VBIOS)
        return report.with_opaque_fields(*fields).signed_by(device.key), device.pem

    def gpu_state(self) -> bytes:
        """The GPU's state as the driver tells it (JSON)."""
        state: dict[str, Any] = {
            "cc_mode": self.guest.is_confidential,
            "dev_tools": self.guest.settings["gpu"] == "devtools",
            "ready": self.guest.is_ready,
            "environment": "production" if self.guest.is_confidential else "unavailable",
            "driver_version": self.guest.module_version,
            "vbios_version": VBIOS,
            "uuid": self.guest.gpu_uuid,
        }
        return json.dumps(state).encode()
