"""The SSH key of a VM whose spec names none: the user's own, else one made for the deployment."""

import os
from pathlib import Path

from ccgpu.errors import StateUnusable


def default(state: Path, deployment: str, home: Path) -> tuple[str, ...]:
    """The public key as one line. A new private key is written once (0600), and never replaced."""
    own = home / ".ssh" / "id_ed25519.pub"
    made = state / "keys" / deployment
    try:
        if own.is_file():
            return (own.read_text(encoding="utf-8").strip(),)
        public = made.with_name(f"{deployment}.pub")
        if not public.is_file():
            _generate(made, public)
        return (public.read_text(encoding="utf-8").strip(),)
    except (OSError, UnicodeDecodeError) as err:
        raise StateUnusable(f"cannot use the SSH key of {deployment}: {err}") from err


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
