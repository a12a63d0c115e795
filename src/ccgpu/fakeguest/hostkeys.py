"""The SSH host keys of the simulated VMs, derived from the VM's id: a VM never changes its key."""

import base64
import hashlib
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


@cache
def host_key(vm_id: str, *, other: bool = False) -> bytes:
    """The ssh-ed25519 public key blob (51 bytes, RFC 8709). other: a key of somebody else."""
    seed = hashlib.sha256(f"{vm_id}/other".encode() if other else vm_id.encode()).digest()
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return base64.b64decode(line.split()[1])


def public_line(blob: bytes) -> str:
    """The key as a line of a public key file, without a comment."""
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


def fingerprint(blob: bytes) -> str:
    """The fingerprint that OpenSSH shows."""
    digest = hashlib.sha256(blob).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
