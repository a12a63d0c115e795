"""Manifests and OCSP responses of a simulated NVIDIA. Valid unless a test changes them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509

from ccgpu.attest import certificates
from ccgpu.attest.check import Check, Checks, Outcome, Rule, Verified
from ccgpu.attest.gpu import ocsp as judge_ocsp
from ccgpu.attest.gpu import rim as judge_rim
from ccgpu.attest.gpu.rim import Manifest
from ccgpu.attest.gpu.rim_payload import Kind
from ccgpu.attest.roots import Anchor
from ccgpu.fakeguest.evidence import nvidia_pki, ocsp, pki, rim
from ccgpu.fakeguest.evidence.pki import CertificateTemplate, ChainTemplate
from ccgpu.fakeguest.evidence.rim import RimTemplate

AT = datetime(2026, 11, 22, tzinfo=UTC)
_RULE = Rule("test.certificate", "a certificate of the test", "the test")


def golden_value(index: int, alternative: int = 0) -> bytes:
    """A golden value."""
    return hashlib.sha384(bytes((index, alternative))).digest()


def driver_rim() -> RimTemplate:
    """A driver's manifest, not signed yet."""
    return rim.rim_template(
        rim.DRIVER, {at: (golden_value(at), golden_value(at, 1)) for at in rim.DRIVER_INDICES}
    )


def vbios_rim() -> RimTemplate:
    """A VBIOS's manifest, not signed yet."""
    return rim.rim_template(rim.VBIOS, {at: (golden_value(at),) for at in rim.VBIOS_INDICES})


def load_certificate(der: bytes) -> x509.Certificate:
    """Parse a certificate."""
    return certificates.load(der, _RULE)


def pinned_root(chain: ChainTemplate) -> Anchor:
    """The simulated root as a trust anchor."""
    return certificates.anchor_of(load_certificate(chain.root))


@dataclass(frozen=True)
class RimResult:
    """The outcome of a manifest and its checks."""

    outcome: Outcome[Manifest] | None
    checks: Sequence[Check]

    @property
    def refusals(self) -> set[str]:
        """The reason codes; empty if it is verified."""
        refused = {check.id for check in self.checks if not check.ok}
        assert isinstance(self.outcome, Verified) == (not refused)
        return refused

    @property
    def manifest(self) -> Manifest:
        """The parsed manifest."""
        assert self.outcome is not None
        return self.outcome.value


def verify_rim(
    xml: bytes, root: Anchor, *, at: datetime = AT, kind: Kind | None = None
) -> RimResult:
    """Verify a manifest."""
    checks = Checks()
    return RimResult(judge_rim.verify(xml, root, at, checks, kind), checks.made)


@dataclass(frozen=True)
class CertificatePair:
    """A certificate, its issuer, and the issuer's delegated responder, with their keys."""

    certificate: x509.Certificate
    issuer: x509.Certificate
    responder: CertificateTemplate
    key: pki.PrivateKey
    subject_key: pki.PrivateKey
    issuer_key: pki.PrivateKey

    @property
    def wanted(self) -> tuple[x509.Certificate, x509.Certificate]:
        """The certificates that a response must be about."""
        return self.certificate, self.issuer

    def single(self, **changes: Any) -> ocsp.SingleResponse:
        """The status of the certificate."""
        start = AT - timedelta(hours=1)
        said = ocsp.single_response(self.certificate, self.issuer, start, AT + timedelta(hours=23))
        return replace(said, **changes)

    def answer(self, **changes: Any) -> ocsp.OcspResponseTemplate:
        """A response of the delegated responder, not signed yet."""
        der = self.responder.signed_by(self.issuer_key)
        plain = ocsp.OcspResponseTemplate(
            [self.single()], ocsp.responder_key_hash(load_certificate(der)), [der]
        )
        return replace(plain, **changes)

    def signed_answer(self, **changes: Any) -> bytes:
        """A signed response with this status."""
        return self.answer(singles=[self.single(**changes)]).signed_by(self.key)

    def answer_by(
        self, responder: CertificateTemplate, *, signer: pki.PrivateKey | None = None
    ) -> bytes:
        """A signed response of another delegate, whose certificate `signer` signed."""
        der = responder.signed_by(signer or self.issuer_key)
        answer = self.answer(
            responder=ocsp.responder_key_hash(load_certificate(der)), certificates=[der]
        )
        return answer.signed_by(self.key)


def certificate_pairs(chain: ChainTemplate) -> tuple[CertificatePair, ...]:
    """Each certificate of a chain except the root, with its issuer and a delegate."""
    found = [load_certificate(der) for der in chain.ders]
    start, end = AT - timedelta(days=365), AT + timedelta(days=365)
    return tuple(
        _certificate_pair(chain, found, position, start, end) for position in range(len(found) - 1)
    )


def _certificate_pair(
    chain: ChainTemplate,
    found: Sequence[x509.Certificate],
    position: int,
    start: datetime,
    end: datetime,
) -> CertificatePair:
    key = nvidia_pki.new_key()
    issuer = found[position + 1]
    return CertificatePair(
        certificate=found[position],
        issuer=issuer,
        responder=ocsp.responder_certificate(issuer.subject, key, start, end),
        key=key,
        subject_key=chain.keys[position],
        issuer_key=chain.keys[position + 1],
    )


def ocsp_refusals(
    answers: Sequence[bytes], pairs: Sequence[CertificatePair], **how: Any
) -> set[str]:
    """The reasons why these responses do not prove these certificates good."""
    checks = Checks()
    at = how.pop("at", AT)
    outcome = judge_ocsp.verify(answers, [pair.wanted for pair in pairs], at, checks, **how)
    refused = {check.id for check in checks.made if not check.ok}
    assert isinstance(outcome, Verified) == (not refused)
    return refused
