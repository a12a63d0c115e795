"""Builds OCSP requests about one certificate each (RFC 6960, 4.1)."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp


def build(certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes | None) -> bytes:
    """A request (DER). With a nonce (RFC 9654; 32 bytes) no cached response can answer it."""
    # SHA-384 is what NVIDIA's own verifier asks with, and what its answers have.
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA384())
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)
