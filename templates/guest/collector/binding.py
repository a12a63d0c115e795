"""`ccgpu-bind-v1`, computed in the VM from its own values (docs/trust.md)."""

import hashlib
import struct

BINDING = "ccgpu-bind-v1"


def prefixed(*parts: bytes) -> bytes:
    """Each part after its length (4 bytes, big endian)."""
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def bind(nonce: bytes, host_key: bytes, recipient_key: bytes, vm_id: str) -> bytes:
    """B, 64 bytes."""
    key = hashlib.sha256(host_key).digest()
    parts = (BINDING.encode(), nonce, key, recipient_key, vm_id.encode())
    return hashlib.sha512(prefixed(*parts)).digest()


def nonce_of_gpu(bound: bytes, modulus: bytes) -> bytes:
    """The nonce of the GPU's report, 32 bytes."""
    return hashlib.sha256(prefixed(b"ccgpu-gpu", bound, hashlib.sha256(modulus).digest())).digest()


def qualifying_data(bound: bytes, *collected: bytes) -> bytes:
    """The qualifying data of the quote, 32 bytes, over everything that was collected."""
    digest = hashlib.sha256(prefixed(*collected)).digest()
    return hashlib.sha256(prefixed(b"ccgpu-quote", bound, digest)).digest()
