"""Signatures of `ssh-keygen -Y sign`: OpenSSH, PROTOCOL.sshsig.

A parsed signature is believed only after `ssh_keys.verifies` has checked it with its own key. Whose
key that is, its fingerprint says.
"""

import hashlib
from dataclasses import dataclass

from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.signature.wire import SshReader, ssh_string
from ccgpu.domain import canonical_base64

FORMAT = Rule(
    "bundle.signature.format",
    "the signature is one of `ssh-keygen -Y sign`, or the base64 of cosign",
    "OpenSSH, PROTOCOL.sshsig; sigstore/cosign, sign-blob",
)
BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
_MAGIC, _VERSION = b"SSHSIG", 1  # PROTOCOL.sshsig, "Blob format"
_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}  # "hash_algorithm": only these two


@dataclass(frozen=True, slots=True)
class SshSignature:
    """One signature: the signer's public-key blob, the purpose, and the signature blob."""

    key: bytes
    namespace: str
    reserved: bytes
    hash_name: str
    signature: bytes

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the public-key blob."""
        return hashlib.sha256(self.key).digest()

    def signed_bytes(self, data: bytes) -> bytes:
        """What is signed for `data` (PROTOCOL.sshsig, "Signed Data")."""
        digest = _HASHES[self.hash_name](data).digest()
        parts = (self.namespace.encode(), self.reserved, self.hash_name.encode(), digest)
        return _MAGIC + b"".join(map(ssh_string, parts))


def parse(raw: bytes) -> SshSignature:
    """Parse an armored signature.

    Raises:
        Malformed: It is none.
    """
    try:
        return _parse_blob(_unarmor(raw))
    except ValueError as err:
        raise Malformed(FORMAT, "a signature of ssh-keygen", str(err)) from err


def _unarmor(raw: bytes) -> bytes:
    text = raw.strip()
    if not (text.startswith(BEGIN) and text.endswith(_END)):
        raise ValueError("no text between the lines of an SSH SIGNATURE")
    try:
        return canonical_base64.decode(b"".join(text[len(BEGIN) : -len(_END)].split()))
    except ValueError as err:
        raise ValueError(f"what stands between its lines {err}") from err


def _parse_blob(blob: bytes) -> SshSignature:
    reader = SshReader(blob)
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise ValueError("it does not begin with SSHSIG")
    version = int.from_bytes(reader.take(4))
    if version != _VERSION:
        raise ValueError(f"version {version}")
    signature = SshSignature(
        key=reader.string(),
        namespace=reader.name(),
        reserved=reader.string(),
        hash_name=reader.name(),
        signature=reader.string(),
    )
    reader.end()
    if signature.hash_name not in _HASHES:
        raise ValueError(f"the hash {signature.hash_name!a}")
    return signature
