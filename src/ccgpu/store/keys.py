"""The default SSH key of a VM: the user's own key, else one generated for the deployment.

A generated private key is written once (mode 0600) and never replaced: a VM may use its public key.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.domain import sshkey
from ccgpu.errors import InvalidFile, Problem, StateUnusable
from ccgpu.store import atomic, folders, keyfiles, own_files

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_WHAT = "the SSH key of the deployment"
_MAX_BYTES = 64 * 1024  # one of ccgpu's has 400
# The placeholder in a plan for the key that `create` would generate. It is not a valid key.
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
        """The path of the private key generated for the deployment."""
        return self.state / "keys" / self.deployment

    @property
    def public(self) -> Path:
        """The path of its public key."""
        return self.private.with_name(f"{self.deployment}.pub")

    @property
    def identity(self) -> Path | None:
        """The private key for `ssh -i`; None if `default` is the key that ssh uses anyway."""
        return self.private if self.public.is_file() and not self.own.is_file() else None

    def default(self) -> tuple[str, ...]:
        """The default public key, in a tuple of one line; generate it if there is none."""
        try:
            if not self.own.is_file() and not self.public.is_file():
                _generate_key(self.private, self.public)
        except OSError as err:
            raise StateUnusable(
                f"cannot make an SSH key for {self.deployment}: {self.private}: "
                f"{err.strerror or err}",
                hint="free disk space or fix the permissions, or give a key of yours: "
                "`--ssh-key FILE`",
            ) from err
        return self.planned()

    def planned(self) -> tuple[str, ...]:
        """The result of `default`, without generating a key.

        Raises:
            StateUnusable: others have, or may have, written the generated key: it lets log in.
            InvalidFile: it is no public key.
        """
        if self.own.is_file():
            return (_public_line(self.own),)
        if own_files.read(self.public, _WHAT, 1) is None:
            return (TO_BE_MADE,)
        return (_public_line(self.public),)


def _public_line(file: Path) -> str:
    try:
        return str(sshkey.parse(keyfiles.key_line(str(file), Path())))
    except ValueError as err:
        hint = "give another key: `--ssh-key FILE`"
        raise InvalidFile(str(file), [Problem("", str(err))], hint=hint) from None


def _generate_key(private: Path, public: Path) -> None:
    """Write the private key, then the public one, whose presence proves that both exist.

    An existing private key without its public key is reused.
    """
    from cryptography.hazmat.primitives import serialization as to
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    folders.make_private(private.parent)
    if os.path.lexists(private):
        key = _load_key(private)
    else:
        key = Ed25519PrivateKey.generate()
        secret = key.private_bytes(to.Encoding.PEM, to.PrivateFormat.OpenSSH, to.NoEncryption())
        atomic.create(private, secret)
    line = key.public_key().public_bytes(to.Encoding.OpenSSH, to.PublicFormat.OpenSSH)
    atomic.replace(public, line + f" ccgpu {private.name}\n".encode())


def _load_key(private: Path) -> "Ed25519PrivateKey":
    """The existing private key.

    Raises:
        StateUnusable: the file is not an unencrypted Ed25519 key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    try:
        raw = own_files.read(private, _WHAT, _MAX_BYTES)
        key = load_ssh_private_key(raw or b"", None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise StateUnusable(
            f"{private} is not a private key that ccgpu created, so it is not replaced",
            hint="move it away, or put its public half beside it as a .pub file",
        )
    return key
