"""Whose signature of a bundle counts, and what is signed: the exact bytes of its file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

# What `ssh-keygen -Y sign -n` gets: a signature for another purpose never counts for a bundle.
NAMESPACE = "ccgpu-bundle"
SUFFIX = ".sig"  # of the file beside the bundle, as `ssh-keygen -Y sign` names it


@dataclass(frozen=True, slots=True)
class SshSigner:
    """An SSH key, as a line of allowed_signers describes it (ssh-keygen(1), ALLOWED SIGNERS).

    fingerprint: SHA-256 of the public-key blob. name: principals or comment; may be empty.
    namespaces: patterns of the purposes that it may sign for; none: any. valid_after,
    valid_before: when its signatures count; None: always.
    """

    fingerprint: bytes
    name: str = ""
    namespaces: tuple[str, ...] = ()
    valid_after: datetime | None = None
    valid_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class PublicKeySigner:
    """A public key (SubjectPublicKeyInfo in DER) that signs as cosign does."""

    spki: bytes


Signer = SshSigner | PublicKeySigner


@dataclass(frozen=True, slots=True)
class SignedFile:
    """The bytes of a file, its signature (None: there is none), and whose signature counts."""

    data: bytes
    signature: bytes | None
    signers: Sequence[Signer]
