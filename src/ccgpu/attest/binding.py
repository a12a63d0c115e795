"""`ccgpu-bind-v1`: how one nonce goes into everything that a guest collects.

Both ends compute the same from values of their own: the guest from its host key and its vmUniqueId,
the client from the host key that it pinned and ARM's vmId. Every part is length-prefixed, so no two
lists of parts have one encoding; a part is never left out, only empty.
"""

import hashlib

_BIND, _GPU, _QUOTE = b"ccgpu-bind-v1", b"ccgpu-gpu", b"ccgpu-quote"  # one label for each use


def length_prefixed(part: bytes) -> bytes:
    """`part` behind its length (4 bytes, big endian)."""
    return len(part).to_bytes(4, "big") + part


def binding(nonce: bytes, host_key: bytes, recipient_key: bytes, vm_id: str) -> bytes:
    """B (64 bytes): this nonce, to this VM, over this connection.

    `nonce`: 32 bytes. `host_key`: the SSH public-key blob; its SHA-256 goes in. `recipient_key`:
    X25519, 32 bytes, or empty. `vm_id`: a GUID in either case.
    """
    return binding_of_digest(nonce, hashlib.sha256(host_key).digest(), recipient_key, vm_id)


def binding_of_digest(
    nonce: bytes, host_key_digest: bytes, recipient_key: bytes, vm_id: str
) -> bytes:
    """B, where only the SHA-256 of the host key (32 bytes) is known."""
    parts = (_BIND, nonce, host_key_digest, recipient_key, vm_id.lower().encode())
    return hashlib.sha512(b"".join(map(length_prefixed, parts))).digest()


def gpu_nonce(bound: bytes, ak_modulus: bytes) -> bytes:
    """The nonce of the GPU's report (32 bytes): B, and the key that will sign for the collection.

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
    """E: every piece that was collected before the quote, as it came; empty where there is none."""
    return b"".join(map(length_prefixed, (hcl, gpu_report, gpu_chain, event_log, thim, gpu_state)))


def qualifying_data(bound: bytes, evidence: bytes) -> bytes:
    """What the quote has to carry (32 bytes): B, and E as `collected` made it."""
    parts = (_QUOTE, bound, hashlib.sha256(evidence).digest())
    return hashlib.sha256(b"".join(map(length_prefixed, parts))).digest()
