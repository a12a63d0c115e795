"""OCSP responses in DER, encoded by hand so that every field is free (RFC 6960, 4.2.1)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ccgpu.fakeguest.evidence import nvidia_pki, pki
from ccgpu.fakeguest.evidence.pki import (
    ECDSA_SHA384,
    CertificateTemplate,
    SignatureAlgorithm,
    X509Extension,
)

NONCE, OCSP_SIGNING = "1.3.6.1.5.5.7.48.1.2", "1.3.6.1.5.5.7.3.9"
HOLD = 6  # RFC 5280, 5.3.1: certificateHold

_BASIC = "1.3.6.1.5.5.7.48.1.1"
_EXTENDED_KEY_USAGE = "2.5.29.37"
_ENUMERATED = 0x0A
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HASHES = {
    "sha1": "1.3.14.3.2.26",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}


@dataclass(frozen=True, slots=True)
class SingleResponse:
    """The status of one certificate: its id, the status, the times of validity."""

    serial: int
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    this_update: datetime
    next_update: datetime | None
    hash_name: str = "sha384"
    status: Literal["good", "revoked", "unknown"] = "good"
    reason: int | None = None
    extensions: Sequence[X509Extension] = ()

    @property
    def der(self) -> bytes:
        """The SingleResponse in DER."""
        return pki.element(
            pki.SEQUENCE,
            pki.element(
                pki.SEQUENCE,
                pki.element(pki.SEQUENCE, pki.oid(_HASHES[self.hash_name]), pki.element(pki.NULL)),
                pki.element(pki.OCTETS, self.issuer_name_hash),
                pki.element(pki.OCTETS, self.issuer_key_hash),
                pki.integer(self.serial),
            ),
            self._status(),
            _encode_time(self.this_update),
            pki.element(0xA0, _encode_time(self.next_update)) if self.next_update else b"",
            _explicit(0xA1, self.extensions),
        )

    def _status(self) -> bytes:
        if self.status != "revoked":
            return pki.element({"good": 0x80, "unknown": 0x82}[self.status])
        number = None if self.reason is None else bytes([self.reason])
        reason = pki.element(0xA0, pki.element(_ENUMERATED, number)) if number else b""
        return pki.element(0xA1, _encode_time(self.this_update), reason)


@dataclass(frozen=True, slots=True)
class OcspResponseTemplate:
    """An OCSP response before it is signed.

    `responder`: the responder's name, or the SHA-1 of its key. `certificates` (DER) are included.
    `status`: 0 is successful.
    """

    singles: Sequence[SingleResponse]
    responder: x509.Name | bytes
    certificates: Sequence[bytes] = ()
    extensions: Sequence[X509Extension] = ()
    status: int = 0
    algorithm: SignatureAlgorithm = ECDSA_SHA384

    def signed_by(self, key: pki.PrivateKey) -> bytes:
        """The response in DER."""
        status = pki.element(_ENUMERATED, bytes([self.status]))
        if self.status:
            return pki.element(pki.SEQUENCE, status)
        body = pki.element(
            pki.SEQUENCE,
            _responder_id(self.responder),
            _encode_time(max((each.this_update for each in self.singles), default=_EPOCH)),
            pki.element(pki.SEQUENCE, *(each.der for each in self.singles)),
            _explicit(0xA1, self.extensions),
        )
        along = pki.element(0xA0, pki.element(pki.SEQUENCE, *self.certificates))
        basic = pki.element(
            pki.SEQUENCE,
            body,
            self.algorithm.identifier,
            pki.element(pki.BITS, b"\0", self.algorithm.sign(key, body)),
            along if self.certificates else b"",
        )
        wrapped = pki.element(pki.SEQUENCE, pki.oid(_BASIC), pki.element(pki.OCTETS, basic))
        return pki.element(pki.SEQUENCE, status, pki.element(0xA0, wrapped))


def single_response(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    this_update: datetime,
    next_update: datetime | None,
    hash_name: str = "sha384",
) -> SingleResponse:
    """The status good for a certificate."""
    return SingleResponse(
        serial=certificate.serial_number,
        issuer_name_hash=hashlib.new(hash_name, issuer.subject.public_bytes()).digest(),
        issuer_key_hash=hashlib.new(hash_name, _public_key_bits(issuer)).digest(),
        this_update=this_update,
        next_update=next_update,
        hash_name=hash_name,
    )


def responder_certificate(
    issuer: x509.Name, key: pki.PrivateKey, not_before: datetime, not_after: datetime
) -> CertificateTemplate:
    """The certificate of a delegated responder. The issuer signs it."""
    return CertificateTemplate(
        subject=nvidia_pki.nvidia_name("NVIDIA OCSP Responder", nvidia_pki.OWNER),
        issuer=issuer,
        key=pki.public_key_info(key),
        not_before=not_before,
        not_after=not_after,
        extensions=(nvidia_pki.key_usage(nvidia_pki.SIGNS_DATA), extended_key_usage(OCSP_SIGNING)),
        serial=0x2B,
        algorithm=ECDSA_SHA384,
    )


def extended_key_usage(*those: str) -> X509Extension:
    """The extended key usage."""
    value = pki.element(pki.SEQUENCE, *(pki.oid(each) for each in those))
    return X509Extension(_EXTENDED_KEY_USAGE, value, critical=True)


def nonce_extension(value: bytes) -> X509Extension:
    """The nonce of a request, repeated in the response."""
    return X509Extension(NONCE, pki.element(pki.OCTETS, value))


def responder_key_hash(certificate: x509.Certificate) -> bytes:
    """The SHA-1 that identifies a responder by its key."""
    return hashlib.new("sha1", _public_key_bits(certificate), usedforsecurity=False).digest()


def _responder_id(responder: x509.Name | bytes) -> bytes:
    if isinstance(responder, x509.Name):
        return pki.element(0xA1, responder.public_bytes())
    return pki.element(0xA2, pki.element(pki.OCTETS, responder))


def _public_key_bits(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _explicit(tag: int, extensions: Sequence[X509Extension]) -> bytes:
    if not extensions:
        return b""
    return pki.element(tag, pki.element(pki.SEQUENCE, *(each.der for each in extensions)))


def _encode_time(when: datetime) -> bytes:
    return pki.element(pki.GENERALIZED_TIME, f"{when:%Y%m%d%H%M%SZ}".encode())
