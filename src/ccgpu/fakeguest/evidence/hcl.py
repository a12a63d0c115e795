"""HCL blobs and runtime claims. The defaults are valid; any field can be changed.

The embedded report's REPORT_DATA must be `report_data(runtime)`. For a blob that contradicts its
report, change the runtime afterwards.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from ccgpu.attest.hcl import layout

VM_UNIQUE_ID = "390CBCF5-6C67-4D9B-98EF-C3F1699CC8FC"


def rsa_jwk(kid: str, use: str, modulus: int, exponent: int = 65537) -> dict[str, Any]:
    """An RSA key in the paravisor's format."""
    numbers = {"e": exponent, "n": modulus}
    return {"kid": kid, "key_ops": [use], "kty": "RSA"} | {
        name: base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))
        for name, number in numbers.items()
    }


def base64url(data: bytes) -> str:
    """Base64 with - and _, without padding (RFC 7515, §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def runtime_claims(
    ak: rsa.RSAPublicKey, user_data: bytes = bytes(64), vm_unique_id: str = VM_UNIQUE_ID
) -> dict[str, Any]:
    """The claims as a document, which callers may change. The EK belongs to no TPM.

    Order of the members, and case of user-data, are those of Azure's paravisors in 2025.
    """
    modulus = ak.public_numbers().n
    return {
        "keys": [rsa_jwk("HCLAkPub", "sign", modulus), rsa_jwk("HCLEkPub", "encrypt", modulus ^ 2)],
        "vm-configuration": {
            "console-enabled": True,
            "root-cert-thumbprint": base64url(hashlib.sha256(b"root").digest()),
            "secure-boot": True,
            "tpm-enabled": True,
            "tpm-persisted": True,
            "vmUniqueId": vm_unique_id,
        },
        "user-data": user_data.hex().upper(),
    }


def encode_claims(claims: dict[str, Any]) -> bytes:
    """The claims as the bytes that are hashed."""
    return json.dumps(claims, separators=(",", ":")).encode()


def report_data(runtime: bytes) -> bytes:
    """The REPORT_DATA that the paravisor requests."""
    return hashlib.sha256(runtime).digest().ljust(64, b"\0")


@dataclass(frozen=True, slots=True)
class HclBlob:
    """An HCL blob. Sizes that are None are computed."""

    report: bytes
    runtime: bytes
    size: int = layout.SIZES[-1]
    signature: bytes = layout.SIGNATURE
    version: int = layout.VERSIONS[-1]
    report_size: int | None = None
    request_type: int = layout.AK_CERT_REQUEST
    status: int = 0
    reserved: bytes = bytes(layout.HEADER["reserved"].size)
    data_size: int | None = None
    data_version: int = 1
    report_type: int = layout.TYPE_SNP
    hash_type: int = layout.HASH_SHA256
    variable_data_size: int | None = None
    padding: bytes = b""

    @property
    def raw(self) -> bytes:
        """The blob, padded with zeros to its size."""
        variable = _value_or(self.variable_data_size, len(self.runtime))
        data = _value_or(self.data_size, layout.RUNTIME_HEADER_SIZE + len(self.runtime))
        whole = layout.RUNTIME_START + layout.RUNTIME_HEADER_SIZE + len(self.runtime)
        header = (self.version, _value_or(self.report_size, whole), self.request_type, self.status)
        runtime_header = (data, self.data_version, self.report_type, self.hash_type, variable)
        parts = (
            self.signature,
            *map(_u32, header),
            self.reserved,
            self.report,
            *map(_u32, runtime_header),
            self.runtime,
            self.padding,
        )
        return b"".join(parts).ljust(self.size, b"\0")


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _value_or(given: int | None, actual: int) -> int:
    return actual if given is None else given
