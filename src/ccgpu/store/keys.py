"""The SSH key of a VM whose spec names none: the user's own, else one made for the deployment.

A private key is written once (0600) and never replaced, because a VM may know its public half.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.domain import sshkey
from ccgpu.errors import InvalidFile, Problem, StateUnusable
from ccgpu.store import atomic, keyfiles

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# Stands in a plan for the key that `create` would make; OpenSSH reads it as no key at all.
TO_BE_MADE = "ssh-ed25519 (a key that `ccgpu create` will make)"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one deployment, in the user's home and in the state folder."""

    state: Path
    deployment: str
    home: Path

    @property
    def own(self) -> Path:
        """The user's own public key."""
        return self.home / ".ssh" / "id_ed25519.pub"

    @property
    def private(self) -> Path:
        """Where the private key made for the deployment is, once there is one."""
        return self.state / "keys" / self.deployment

    @property
    def public(self) -> Path:
        """Its public half."""
        return self.private.with_name(f"{self.deployment}.pub")

    @property
    def identity(self) -> Path | None:
        """The private key that goes with `default`, if it is not the one ssh uses by itself."""
        return self.private if self.public.is_file() and not self.own.is_file() else None

    def default(self) -> tuple[str, ...]:
        """The public key, as the one line of a tuple; made now if there is none."""
        try:
            if not self.own.is_file() and not self.public.is_file():
                _generate_key(self.private, self.public)
        except OSError as err:
            raise StateUnusable(f"cannot make an SSH key for {self.deployment}: {err}") from err
        return self.planned()

    def planned(self) -> tuple[str, ...]:
        """What `default` would give, without making anything."""
        for file in (self.own, self.public):
            if file.is_file():
                return (_public_line(file),)
        return (TO_BE_MADE,)


def _public_line(file: Path) -> str:
    try:
        return str(sshkey.parse(keyfiles.key_line(str(file), Path())))
    except ValueError as err:
        hint = "give another key: `--ssh-key FILE`"
        raise InvalidFile(str(file), [Problem("", str(err))], hint=hint) from None


def _generate_key(private: Path, public: Path) -> None:
    """Write both halves, the public one last: it says that both are there.

    A private key that has lost its public half is kept, and gets it again.
    """
    from cryptography.hazmat.primitives import serialization as to
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.path.lexists(private):
        key = _kept_key(private)
    else:
        key = Ed25519PrivateKey.generate()
        secret = key.private_bytes(to.Encoding.PEM, to.PrivateFormat.OpenSSH, to.NoEncryption())
        atomic.create(private, secret)
    line = key.public_key().public_bytes(to.Encoding.OpenSSH, to.PublicFormat.OpenSSH)
    atomic.replace(public, line + f" ccgpu {private.name}\n".encode())


def _kept_key(private: Path) -> "Ed25519PrivateKey":
    """The private key that was made earlier."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    try:
        key = None if private.is_symlink() else load_ssh_private_key(private.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise StateUnusable(
            f"{private} is not a private key that ccgpu created, so it is not replaced",
            hint="move it away, or put its public half beside it as a .pub file",
        )
    return key
