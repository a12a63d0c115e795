"""A simulated GPU: its report, its certificates, and NVIDIA's collateral for them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ccgpu.fakeguest.evidence import nvidia_pki, ocsp, pki, rim, rim_pki, spdm
from ccgpu.fakeguest.evidence.nvidia_pki import GpuCertificates
from ccgpu.fakeguest.evidence.pki import ChainTemplate

GOOD_STATE = {"cc_mode": True, "dev_tools": False, "ready": False}

_THIS_UPDATE = datetime(2026, 11, 22, 0, tzinfo=UTC)
_NEXT_UPDATE = datetime(2026, 11, 23, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CollectedGpuEvidence:
    """A GPU's evidence, and the collateral that is fetched for it.

    `state` is the state document that the VM wrote.
    """

    report: bytes
    chain: bytes
    state: bytes
    rims: Sequence[bytes]
    ocsp: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class SimulatedGpu:
    """A GPU with its authorities.

    `driver` and `vbios` are the running versions; the manifests are for them. `opaque` replaces
    opaque fields, `versioned` sets their format. `answers` changes fields of every
    `ocsp.SingleResponse`. `state` is NVML's view.
    """

    device: GpuCertificates = field(default_factory=lambda: nvidia_pki.make_authorities().device())
    rims: ChainTemplate = field(default_factory=rim_pki.make_chain)
    driver: str = rim.DRIVER
    vbios: str = rim.VBIOS
    opaque: Sequence[spdm.OpaqueField] = ()
    answers: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=lambda: dict(GOOD_STATE))
    versioned: spdm.VersionedOpaqueData | None = None

    def collect(self, nonce: bytes) -> CollectedGpuEvidence:
        """The GPU's evidence for a nonce of 32 bytes."""
        own, signers = self.device.ders, self.rims.ders
        fields = spdm.opaque_fields(self.device.fwid, self.driver, self.vbios)
        report = (
            spdm.gpu_report(nonce, self.device.fwid)
            .with_opaque_fields(*fields)
            .with_opaque_fields(*self.opaque)
        )
        report = replace(report, versioned=self.versioned)
        return CollectedGpuEvidence(
            report=report.signed_by(self.device.key),
            chain=b"".join(map(pki.pem, own)),
            state=self._state_document(),
            rims=(
                self._manifest(self.driver, rim.DRIVER_INDICES, signers),
                self._manifest(self.vbios, rim.VBIOS_INDICES, signers),
            ),
            ocsp=(
                *self._answers(own[1:], self.device.keys[1:]),
                *self._answers(signers, self.rims.keys),
            ),
        )

    def _state_document(self) -> bytes:
        versions = {"driver_version": self.driver, "vbios_version": self.vbios}
        return json.dumps({**self.state, **versions}).encode()

    def _manifest(self, version: str, indices: Sequence[int], signers: Sequence[bytes]) -> bytes:
        golden = {index: (spdm.measurement(index),) for index in indices}
        return rim.sign_document(rim.rim_template(version, golden).body, self.rims.key, signers)

    def _answers(
        self, ders: Sequence[bytes], keys: Sequence[ec.EllipticCurvePrivateKey]
    ) -> tuple[bytes, ...]:
        """The OCSP response of each issuer about the certificate below it."""
        every = [x509.load_der_x509_certificate(der) for der in ders]
        return tuple(
            self._answer(subject, issuer, key)
            for subject, issuer, key in zip(every, every[1:], keys[1:], strict=False)
        )

    def _answer(
        self, subject: x509.Certificate, issuer: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> bytes:
        times = {"this_update": _THIS_UPDATE, "next_update": _NEXT_UPDATE, **self.answers}
        start, end = times.pop("this_update"), times.pop("next_update")
        single = ocsp.single_response(subject, issuer, start, end)
        return ocsp.OcspResponseTemplate([replace(single, **times)], issuer.subject).signed_by(key)
