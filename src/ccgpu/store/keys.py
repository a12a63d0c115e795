"""The SSH key of a VM whose spec names none: the user's own, else one made for the deployment.

A private key is written once (0600) and never replaced, because a VM may know its public half.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from ccgpu.domain import sshkey
from ccgpu.errors import InvalidFile, Problem, StateUnusable
from ccgpu.store import keyfiles

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
                _generate(self.private, self.public)
        except OSError as err:
            raise StateUnusable(f"cannot make an SSH key for {self.deployment}: {err}") from err
        return self.planned()

    def planned(self) -> tuple[str, ...]:
        """What `default` would give, without making anything."""
        for file in (self.own, self.public):
            if file.is_file():
                return (_line(file),)
        return (TO_BE_MADE,)


def _line(file: Path) -> str:
    try:
        return str(sshkey.parse(keyfiles.line(str(file), Path())))
    except ValueError as err:
        hint = "give another key: `--ssh-key FILE`"
        raise InvalidFile(str(file), [Problem("", str(err))], hint=hint) from None


def _generate(private: Path, public: Path) -> None:
    from cryptography.hazmat.primitives import serialization as to
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(to.Encoding.PEM, to.PrivateFormat.OpenSSH, to.NoEncryption())
    line = key.public_key().public_bytes(to.Encoding.OpenSSH, to.PublicFormat.OpenSSH)
    private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(private, secret)
    _write(public, line + f" ccgpu {private.name}\n".encode())


def _write(path: Path, data: bytes) -> None:
    """A new file only its owner reads; the public half comes last, and says that both are there."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        os.fsync(file.fileno())
