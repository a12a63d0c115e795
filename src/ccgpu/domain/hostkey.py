"""Parses the pinned SSH host key in OpenSSH's formats, and computes its fingerprint.

`ccgpu-bind-v1` binds the Ed25519 host key of a VM. A file may also have keys of other types. A file
with two Ed25519 keys is refused.
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from ccgpu.domain import sshkey

_BLOB_START = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"  # RFC 8709, §4
BLOB_SIZE = len(_BLOB_START) + 32
_FINGERPRINT = re.compile(r"SHA256:([A-Za-z0-9+/]{43})")  # OpenSSH, sshkey_fingerprint
_ALGORITHM = re.compile(r"(ssh|ecdsa|sk)-[a-z0-9@.-]+")


@dataclass(frozen=True, slots=True)
class HostKeyPin:
    """The host key that a machine has to show: SHA-256 of its blob, and the blob if it is known."""

    digest: bytes
    blob: bytes | None = None


def fingerprint(digest: bytes) -> str:
    """A SHA-256 of a key blob (32 bytes) as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def digest_of(text: str) -> bytes:
    """The 32 bytes of a fingerprint; `ValueError` for any other text."""
    match = _FINGERPRINT.fullmatch(text)
    digest = base64.b64decode(f"{match[1]}=") if match else None
    if digest is None or fingerprint(digest) != text:
        raise ValueError("is not a fingerprint: `ssh-keygen -lf` prints SHA256: and 43 characters")
    return digest


def parse(raw: bytes) -> bytes:
    """The key blob in a `.pub` file, in lines of known_hosts, or bare; `ValueError` if not one."""
    if raw.startswith(b"\x00"):
        return _check_blob(raw)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as err:
        raise ValueError("holds no SSH host key: it is neither text nor a key blob") from err
    if sshkey.is_private(text):
        raise ValueError("holds a private key: name the public one, the same path with .pub")
    lines = [line.strip() for line in text.splitlines()]
    keys = [_parse_line(line) for line in lines if line and not line.startswith("#")]
    blobs = {blob for _, blob in keys if blob is not None}
    if len(blobs) > 1:
        raise ValueError("holds more than one ssh-ed25519 key: name a file with that of the VM")
    if not blobs:
        raise ValueError(f"holds no ssh-ed25519 key{_other_types([name for name, _ in keys])}")
    return blobs.pop()


def sha256(blob: bytes) -> bytes:
    """SHA-256 of a host key's blob, to which evidence is bound."""
    return hashlib.sha256(blob).digest()


def _check_blob(raw: bytes) -> bytes:
    if len(raw) != BLOB_SIZE or not raw.startswith(_BLOB_START):
        raise ValueError(f"is not an ssh-ed25519 key blob, which has {BLOB_SIZE} bytes (RFC 8709)")
    return raw


def _parse_line(line: str) -> tuple[str, bytes | None]:
    """The algorithm on a line, and the key if it is Ed25519."""
    words = line.split()
    if words[0].startswith("@"):
        raise ValueError(f"has a line marked {words[0][:20]!a}: name a plain host key")
    at = 0 if _ALGORITHM.fullmatch(words[0]) else 1
    if len(words) < at + 2 or not _ALGORITHM.fullmatch(words[at]):
        raise ValueError("holds a line that is neither of a .pub file nor of known_hosts")
    if words[at] != sshkey.ED25519:
        return words[at], None
    blob = sshkey.parse(f"{words[at]} {words[at + 1]}").blob
    return words[at], _check_blob(blob)


def _other_types(names: list[str]) -> str:
    others = ", ".join(sorted(set(names)))
    return f", only {others}: ccgpu-bind-v1 binds the Ed25519 host key" if others else ""
