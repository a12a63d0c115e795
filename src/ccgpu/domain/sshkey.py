"""Parses public SSH keys in OpenSSH's one-line format.

Azure accepts RSA of 2048 bits or more, and Ed25519 (compute API, `SshEncryptionTypes`). An error
never quotes the text, which may be a private key pasted by mistake.
"""

import base64
from dataclasses import dataclass

MIN_RSA_BITS = 2048  # azurerm, `ssh_key.go`
ED25519 = "ssh-ed25519"
RSA = "ssh-rsa"

_USE = "use ed25519 (`ssh-keygen -t ed25519`) or RSA of 2048 bits or more"
_REFUSED_PREFIXES = (
    ("ssh-dss", "is a DSA key, and DSA is too weak"),
    ("ecdsa-sha2-", "is an ECDSA key, and Azure takes none"),
    ("sk-", "is a security-key (sk-) key, and Azure takes none"),
)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that Azure accepts: algorithm, wire format (RFC 4253) and comment."""

    algorithm: str
    blob: bytes
    comment: str

    def __str__(self) -> str:
        encoded = base64.b64encode(self.blob).decode("ascii")
        return f"{self.algorithm} {encoded} {self.comment}".rstrip()


def parse(text: str) -> PublicKey:
    """Read one OpenSSH public key line.

    Raises:
        ValueError: why it cannot be used.
    """
    if is_private(text):
        raise ValueError("is a private key: keep it secret, and give the public key (`.pub`)")
    line = text.strip()
    if "\n" in line or "\r" in line:
        raise ValueError("has more than one line: give one public key for each entry")
    if not line.isprintable():
        raise ValueError("has a character that cannot be printed: copy the line again")
    algorithm, _, rest = line.partition(" ")
    encoded, _, comment = rest.strip().partition(" ")
    for start, why in _REFUSED_PREFIXES:
        if algorithm.startswith(start):
            raise ValueError(f"{why}: {_USE}")
    if algorithm not in (RSA, ED25519):
        raise ValueError(
            "is not an OpenSSH public key: it starts with `ssh-ed25519 ` or `ssh-rsa `"
        )
    _require_usable(algorithm, encoded)
    return PublicKey(algorithm, base64.b64decode(encoded), comment.strip())


def is_private(text: str) -> bool:
    """Whether this is, or holds, private key material in PEM, OpenSSH or PuTTY form."""
    return "PRIVATE KEY" in text or text.lstrip().startswith("PuTTY-User-Key-File")


def _require_usable(algorithm: str, encoded: str) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        key = load_ssh_public_key(f"{algorithm} {encoded}".encode())
    except (ValueError, UnsupportedAlgorithm):
        # Without the cause: its text may quote the key.
        raise ValueError(
            f"is not a whole {algorithm} key: copy the line from the `.pub` file again"
        ) from None
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise ValueError(f"is RSA of {key.key_size} bits, and that is too weak: {_USE}")
