"""The guest's side of `ccgpu-bind-v1` (docs/trust.md), computed from what the guest itself has.

It shares no code with the verifier, so that an error in one is not repeated in the other.
"""

import hashlib
from collections.abc import Sequence


def bind(nonce: bytes, host_key: bytes, recipient_key: bytes, vm_unique_id: str) -> bytes:
    """B (64 bytes), which goes to NV index 0x01400002.

    host_key: the SSH public key blob. recipient_key: X25519 (32 bytes), or empty.
    """
    parts = [b"ccgpu-bind-v1", nonce, hashlib.sha256(host_key).digest(), recipient_key]
    return hashlib.sha512(_join([*parts, vm_unique_id.lower().encode()])).digest()


def derive_gpu_nonce(bound: bytes, ak_modulus: int) -> bytes:
    """The nonce that the GPU is asked with (32 bytes)."""
    modulus = ak_modulus.to_bytes((ak_modulus.bit_length() + 7) // 8)
    return hashlib.sha256(_join([b"ccgpu-gpu", bound, hashlib.sha256(modulus).digest()])).digest()


def qualify(bound: bytes, collected: Sequence[bytes]) -> bytes:
    """The quote's qualifying data (32 bytes), over everything collected before the quote.

    collected: HCL blob, GPU report, GPU chain, event log, THIM answer, GPU state document.
    """
    digest = hashlib.sha256(_join(collected)).digest()
    return hashlib.sha256(_join([b"ccgpu-quote", bound, digest])).digest()


def _join(parts: Sequence[bytes]) -> bytes:
    """Each part behind its length (4 bytes, big endian)."""
    return b"".join(len(part).to_bytes(4) + part for part in parts)
