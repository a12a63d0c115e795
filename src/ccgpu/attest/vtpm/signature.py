"""The parser of a quote's signature: a TPMT_SIGNATURE, or the bare RSA signature.

Only RSASSA-PKCS1-v1_5 with SHA-256 is accepted, which the AK of an Azure confidential VM uses.
"""

from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.vtpm import layout

_TPMT = "TPM 2.0 Part 2, TPMT_SIGNATURE"

SIZE = Rule("vtpm.signature.size", "the signature is one of RSA", _TPMT)
NULL = Rule("vtpm.signature.null", "there is a signature", _TPMT)
SCHEME = Rule("vtpm.signature.scheme", "the signature scheme is RSASSA", _TPMT)
SHA1 = Rule("vtpm.signature.sha1", "the signature is not over SHA-1", _TPMT)
HASH = Rule("vtpm.signature.hash", "the signature is over SHA-256", _TPMT)

_HEADER_SIZE = 6  # sigAlg, hash, size of the buffer: 2 bytes each


def parse(data: bytes) -> bytes:
    """The bare RSA signature (256, 384 or 512 bytes) in `data`, or `Malformed`."""
    if len(data) in layout.RSA_SIZES:
        return data
    scheme, hash_, size = (int.from_bytes(data[at : at + 2], "big") for at in (0, 2, 4))
    if len(data) >= 2 and scheme == layout.ALG_NULL:
        raise Malformed(NULL, "RSASSA", "none (TPM_ALG_NULL)")
    if len(data) < _HEADER_SIZE:
        raise Malformed(SIZE, "an RSA signature", f"{len(data)} bytes")
    if scheme != layout.ALG_RSASSA:
        raise Malformed(SCHEME, f"{layout.ALG_RSASSA:#06x}", f"{scheme:#06x}")
    if hash_ == layout.ALG_SHA1:
        raise Malformed(SHA1, f"{layout.ALG_SHA256:#06x}", f"{hash_:#06x}")
    if hash_ != layout.ALG_SHA256:
        raise Malformed(HASH, f"{layout.ALG_SHA256:#06x}", f"{hash_:#06x}")
    if size not in layout.RSA_SIZES or len(data) != _HEADER_SIZE + size:
        raise Malformed(SIZE, layout.RSA_SIZES, f"{size}, in {len(data) - _HEADER_SIZE} bytes")
    return data[_HEADER_SIZE:]
