"""`ccgpu-bind-v1`: how one nonce is bound into all evidence that a guest collects (docs/trust.md).

Guest and client compute the same values independently: the guest from its host key and vmUniqueId,
the client from the host key that it pinned and ARM's vmId. Every part is length-prefixed, so that
the encoding is unambiguous. A part is never left out, only empty.
"""

import hashlib

_BIND, _GPU, _QUOTE = b"ccgpu-bind-v1", b"ccgpu-gpu", b"ccgpu-quote"  # one label for each use


def length_prefixed(part: bytes) -> bytes:
    """`part`, preceded by its length (4 bytes, big endian)."""
    return len(part).to_bytes(4, "big") + part


def binding(nonce: bytes, host_key: bytes, recipient_key: bytes, vm_id: str) -> bytes:
    """B (64 bytes, SHA-512): binds a nonce to one VM and one SSH host key.

    `nonce`: 32 bytes. `host_key`: the SSH public-key blob; its SHA-256 goes in. `recipient_key`:
    X25519, 32 bytes, or empty. `vm_id`: a GUID in either case.
    """
    return binding_of_digest(nonce, hashlib.sha256(host_key).digest(), recipient_key, vm_id)


def binding_of_digest(
    nonce: bytes, host_key_digest: bytes, recipient_key: bytes, vm_id: str
) -> bytes:
    """B (64 bytes), from the SHA-256 of the host key (32 bytes) instead of the key."""
    parts = (_BIND, nonce, host_key_digest, recipient_key, vm_id.lower().encode())
    return hashlib.sha512(b"".join(map(length_prefixed, parts))).digest()


def gpu_nonce(bound: bytes, ak_modulus: bytes) -> bytes:
    """The nonce for the GPU's report (32 bytes): binds B to the vTPM's attestation key (AK).

    `ak_modulus`: n of HCLAkPub, big endian, without leading zeros (256 bytes for RSA-2048).
    """
    parts = (_GPU, bound, hashlib.sha256(ak_modulus).digest())
    return hashlib.sha256(b"".join(map(length_prefixed, parts))).digest()


def encode_collected(
    hcl: bytes,
    gpu_report: bytes,
    gpu_chain: bytes,
    event_log: bytes,
    thim: bytes,
    gpu_state: bytes,
) -> bytes:
    """E: all evidence collected before the quote, unchanged; an absent piece is empty."""
    return b"".join(map(length_prefixed, (hcl, gpu_report, gpu_chain, event_log, thim, gpu_state)))


def qualifying_data(bound: bytes, evidence: bytes) -> bytes:
    """The quote's qualifying data (32 bytes): binds B to E, as `encode_collected` made it."""
    parts = (_QUOTE, bound, hashlib.sha256(evidence).digest())
    return hashlib.sha256(b"".join(map(length_prefixed, parts))).digest()
