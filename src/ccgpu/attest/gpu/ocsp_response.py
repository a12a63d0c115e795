"""The parser of OCSP responses (RFC 6960, 4.2). Nothing is verified here.

NVIDIA's responder answers about one certificate at a time: a response about several is refused, and
so is an unknown critical extension. An error message (RFC 6960, 2.3), such as "unauthorized",
states nothing about a certificate: it is neither a response nor a failure.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import OCSPExtensionOID

from ccgpu.attest import certificates
from ccgpu.attest.check import Malformed, Rule

Status = Literal["good", "hold", "revoked", "unknown"]

_RFC = "RFC 6960"

READABLE = Rule("ocsp.readable", "the OCSP answers can be read", f"{_RFC}, 4.2.1")
UNSUCCESSFUL = Rule("ocsp.unsuccessful", "an error message holds no answer", f"{_RFC}, 2.3")
ONE = Rule("ocsp.one", "an answer is about one certificate", "NVIDIA OCSP service")
CRITICAL = Rule("ocsp.critical", "every critical extension of the answer is known", f"{_RFC}, 4.4")

_SIZE_LIMIT = 64 * 1024  # a response has some 2 KB, its responder's certificate included
_MAX_CERTIFICATES = 4
# RFC 6960, 2.3 and 4.2.1: SEQUENCE { ENUMERATED responseStatus }, and nothing else.
_ERROR_START, _ERROR_SIZE = b"\x30\x03\x0a\x01", 5
_ERRORS = {
    1: "malformed request",
    2: "internal error",
    3: "try later",
    5: "sig required",
    6: "unauthorized",
}


@dataclass(frozen=True, slots=True)
class OcspCertId:
    """A CertID (RFC 6960, 4.1.1): hashes of the issuer's name and key, and the serial number."""

    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int

    @property
    def issuer(self) -> tuple[bytes, bytes]:
        """The part that is the same for all certificates of an issuer."""
        return self.issuer_name_hash, self.issuer_key_hash


@dataclass(frozen=True, slots=True)
class OcspResponse:
    """A parsed response, not verified.

    `about`, `hash_name`: the CertID and the algorithm of its hashes. `responder_name` or
    `responder_key` (SHA-1 of its key, 20 bytes) names the responder; `certificates` came along.
    `algorithm`: OID of the signature. `signed`: ResponseData (DER), which `signature` covers.
    """

    about: OcspCertId
    hash_name: str
    status: Status
    this_update: datetime
    next_update: datetime | None
    nonce: bytes | None
    responder_name: x509.Name | None
    responder_key: bytes | None
    certificates: tuple[x509.Certificate, ...]
    algorithm: str
    signed: bytes
    signature: bytes


def error_message(data: bytes) -> str | None:
    """The text of a responder's error message (5 bytes of DER); None for anything else."""
    if len(data) != _ERROR_SIZE or not data.startswith(_ERROR_START):
        return None
    return _ERRORS.get(data[-1])


def parse(data: bytes) -> OcspResponse:
    """Parse an OCSP response (DER, at most 64 KiB), or raise `Malformed`."""
    if len(data) > _SIZE_LIMIT:
        raise Malformed(READABLE, f"at most {_SIZE_LIMIT} bytes", f"{len(data)} bytes")
    return certificates.parse_without_warnings(_parse, data, READABLE)


def _parse(data: bytes) -> OcspResponse:
    response = ocsp.load_der_ocsp_response(data)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        status = response.response_status.name.lower().replace("_", " ")
        raise Malformed(UNSUCCESSFUL, "an error message alone", f"{status}, and more")
    certificates.require_whole_bytes(response.signature, data)
    singles = list(response.responses)
    if len(singles) != 1:
        raise Malformed(ONE, "1 answer", f"{len(singles)} answers")
    single = singles[0]
    _refuse_critical(response.extensions, response.single_extensions)
    embedded = response.certificates
    if len(embedded) > _MAX_CERTIFICATES:
        raise Malformed(READABLE, f"at most {_MAX_CERTIFICATES} certificates", len(embedded))
    return OcspResponse(
        about=OcspCertId(single.issuer_name_hash, single.issuer_key_hash, single.serial_number),
        hash_name=single.hash_algorithm.name,
        status=_status(single),
        this_update=single.this_update_utc,
        next_update=single.next_update_utc,
        nonce=_nonce(response.extensions),
        responder_name=response.responder_name,
        responder_key=response.responder_key_hash,
        certificates=tuple(
            certificates.parse(each.public_bytes(Encoding.DER), READABLE) for each in embedded
        ),
        algorithm=response.signature_algorithm_oid.dotted_string,
        signed=response.tbs_response_bytes,
        signature=response.signature,
    )


def _status(single: ocsp.OCSPSingleResponse) -> Status:
    match single.certificate_status:
        case ocsp.OCSPCertStatus.GOOD:
            return "good"
        case ocsp.OCSPCertStatus.REVOKED:
            held = single.revocation_reason is x509.ReasonFlags.certificate_hold
            return "hold" if held else "revoked"
        case _:
            return "unknown"


def _nonce(extensions: x509.Extensions) -> bytes | None:
    nonces = [each.value for each in extensions if isinstance(each.value, x509.OCSPNonce)]
    return nonces[0].nonce if nonces else None


def _refuse_critical(*lists: x509.Extensions) -> None:
    for extensions in lists:
        for each in extensions:
            if each.critical and each.oid != OCSPExtensionOID.NONCE:
                raise Malformed(CRITICAL, "nothing", each.oid.dotted_string)
