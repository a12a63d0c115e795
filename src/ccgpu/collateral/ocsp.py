"""OCSP responses, from Azure's mirror, else from NVIDIA's responder.

`attest` creates the requests. A request with a nonce needs a response created for it, so it is sent
neither to a mirror nor served from the cache.
"""

import hashlib
from datetime import datetime
from functools import partial
from typing import NamedTuple

from cryptography import x509
from cryptography.x509 import ocsp

from ccgpu.collateral.item import CollateralItem, Payload, payload_until
from ccgpu.collateral.sources import MIRROR_CONNECT, Sources
from ccgpu.net.fetch import HttpRequestSpec, NoAnswer
from ccgpu.net.transport import CONNECT
from ccgpu.store.evidence.pem import UNREADABLE

# Real responses have about 2 KB, with the responder's certificate.
LIMIT = 64 * 1024
_REQUEST, _RESPONSE = "application/ocsp-request", "application/ocsp-response"  # RFC 6960, A.1
# The error statuses after which the same request may succeed later (RFC 6960, section 2.3).
_TRANSIENT = (ocsp.OCSPResponseStatus.TRY_LATER, ocsp.OCSPResponseStatus.INTERNAL_ERROR)
_SKEW = 300.0  # seconds that two clocks may differ


class CertId(NamedTuple):
    """The CertID: which certificate a request is about (RFC 6960, section 4.1.1)."""

    algorithm: str
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the CertID, used as a file name."""
        name, key = self.issuer_name_hash.hex(), self.issuer_key_hash.hex()
        return hashlib.sha256(f"{self.algorithm}:{name}:{key}:{self.serial:x}".encode()).hexdigest()


def ocsp_item(request: bytes, sources: Sources, region: str | None) -> CollateralItem:
    """The response to an OCSP request (DER); raises `ValueError` if it is not a request."""
    parsed = ocsp.load_der_ocsp_request(request)
    about = _cert_id(parsed)
    services = sources.responders(region)
    fresh_only = _has_nonce(parsed)
    requests = tuple(
        HttpRequestSpec(
            service.url,
            LIMIT,
            _RESPONSE,
            body=request,
            content_type=_REQUEST,
            connect=MIRROR_CONNECT if service.mirror else CONNECT,
        )
        for service in services
        if not (service.mirror and fresh_only)
    )
    what = f"the OCSP answer about certificate {about.serial:x}"
    name = f"ocsp/{about.digest}.der"
    return CollateralItem(
        name, what, LIMIT, requests, partial(_parse_response, about), cached=not fresh_only
    )


def _parse_response(about: CertId, body: bytes, now: float) -> Payload:
    """A response that is about the certificate; one from the future is expired at once."""
    try:
        answer = ocsp.load_der_ocsp_response(body)
        status = answer.response_status
        singles = (
            _validity_periods(answer, about) if status is ocsp.OCSPResponseStatus.SUCCESSFUL else []
        )
    except UNREADABLE as err:
        raise NoAnswer("the answer is no OCSP answer") from err
    if status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        status_text = status.name.lower().replace("_", " ")
        raise NoAnswer(f"the responder says: {status_text}", transient=status in _TRANSIENT)
    if not singles:
        raise NoAnswer("the answer is about another certificate")
    this_update, next_update = singles[0]
    if this_update.timestamp() > now + _SKEW:
        return Payload(body, fresh=now - 1, usable=now - 1)
    return payload_until(body, now, next_update)


def _validity_periods(
    answer: ocsp.OCSPResponse, about: CertId
) -> list[tuple[datetime, datetime | None]]:
    """The `thisUpdate` and `nextUpdate` of each SingleResponse about the certificate."""
    return [
        (single.this_update_utc, single.next_update_utc)
        for single in answer.responses
        if _cert_id(single) == about
    ]


def _cert_id(of: ocsp.OCSPRequest | ocsp.OCSPSingleResponse) -> CertId:
    algorithm = of.hash_algorithm.name
    return CertId(algorithm, of.issuer_name_hash, of.issuer_key_hash, of.serial_number)


def _has_nonce(request: ocsp.OCSPRequest) -> bool:
    try:
        request.extensions.get_extension_for_class(x509.OCSPNonce)
    except x509.ExtensionNotFound:
        return False
    return True
