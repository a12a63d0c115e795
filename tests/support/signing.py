"""Keys that sign bundles: of OpenSSH, of a simulated security key, of cosign."""

import base64
import hashlib
import json
import os
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives import serialization as to
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from nacl.secret import SecretBox

from ccgpu.attest.signature.wire import ssh_string
from ccgpu.domain.signers import NAMESPACE

KINDS = {
    "ed25519": ("ed25519",),
    "rsa": ("rsa", "-b", "2048"),
    "ecdsa-256": ("ecdsa", "-b", "256"),
    "ecdsa-384": ("ecdsa", "-b", "384"),
    "ecdsa-521": ("ecdsa", "-b", "521"),
}
SK_ED25519 = "sk-ssh-ed25519@openssh.com"
SK_ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"


def keygen(*words: str, stdin: bytes = b"") -> bytes:
    """Run the machine's own ssh-keygen; returns what it prints."""
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    done = subprocess.run(
        ["ssh-keygen", *words], input=stdin, capture_output=True, env=environ, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def new_key(folder: Path, kind: str = "ed25519", passphrase: str = "", name: str = "key") -> Path:
    """A new key pair of OpenSSH; the private key's path."""
    key = folder / name
    keygen("-q", "-t", *KINDS[kind], "-N", passphrase, "-C", "alice", "-f", str(key))
    return key


def ssh_sign(key: Path, data: bytes, namespace: str = NAMESPACE) -> bytes:
    """A signature that ssh-keygen makes."""
    return keygen("-Y", "sign", "-n", namespace, "-f", str(key), stdin=data)


class SecurityKey:
    """A security key (OpenSSH, PROTOCOL.u2f) in software."""

    def __init__(self, kind: str, application: bytes = b"ssh:") -> None:
        self.kind, self.application = kind, application
        self._ed25519 = ed25519.Ed25519PrivateKey.generate()
        self._ecdsa = ec.generate_private_key(ec.SECP256R1())

    @property
    def blob(self) -> bytes:
        """The public key."""
        if self.kind == SK_ED25519:
            public = self._ed25519.public_key().public_bytes_raw()
            parts: tuple[bytes, ...] = (self.kind.encode(), public, self.application)
        else:
            form = to.Encoding.X962, to.PublicFormat.UncompressedPoint
            point = self._ecdsa.public_key().public_bytes(*form)
            parts = (self.kind.encode(), b"nistp256", point, self.application)
        return b"".join(map(ssh_string, parts))

    @property
    def line(self) -> str:
        """The line of its .pub file."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()} alice"

    def sign(self, data: bytes, flags: int = 1, namespace: str = NAMESPACE) -> bytes:
        """An armored signature. Bit 0 of the flags: somebody has touched the key."""
        head = b"SSHSIG" + b"".join(
            map(ssh_string, (namespace.encode(), b"", b"sha512", hashlib.sha512(data).digest()))
        )
        tail = bytes([flags]) + (7).to_bytes(4)
        whole = hashlib.sha256(self.application).digest() + tail + hashlib.sha256(head).digest()
        if self.kind == SK_ED25519:
            value = self._ed25519.sign(whole)
        else:
            from cryptography.hazmat.primitives import hashes
            from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

            pair = decode_dss_signature(self._ecdsa.sign(whole, ec.ECDSA(hashes.SHA256())))
            value = b"".join(ssh_string(_mpint(number)) for number in pair)
        return armored(self.blob, ssh_string(self.kind.encode()) + ssh_string(value) + tail)


def _mpint(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1)


def armored(
    key: bytes,
    signature: bytes,
    namespace: str = NAMESPACE,
    hash_name: str = "sha512",
    head: bytes = b"SSHSIG\0\0\0\1",
    tail: bytes = b"",
) -> bytes:
    """A signature file with these parts."""
    parts = (key, namespace.encode(), b"", hash_name.encode(), signature)
    body = base64.encodebytes(head + b"".join(map(ssh_string, parts)) + tail)
    return b"-----BEGIN SSH SIGNATURE-----\n" + body + b"-----END SSH SIGNATURE-----\n"


def public_pem(key: "ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey") -> bytes:
    """The public key, as in cosign.pub."""
    return key.public_key().public_bytes(to.Encoding.PEM, to.PublicFormat.SubjectPublicKeyInfo)


def cosign_key(
    key: ec.EllipticCurvePrivateKey, password: bytes, label: str = "SIGSTORE", cost: int = 1024
) -> bytes:
    """A key file as `cosign generate-key-pair` writes it; its own `cost` is 65536."""
    der = key.private_bytes(to.Encoding.DER, to.PrivateFormat.PKCS8, to.NoEncryption())
    salt, nonce = bytes(range(32)), bytes(range(24))
    box = SecretBox(Scrypt(salt, 32, cost, 8, 1).derive(password))
    document = {
        "kdf": {"name": "scrypt", "params": {"N": cost, "r": 8, "p": 1}, "salt": _text(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": _text(nonce)},
        "ciphertext": _text(bytes(box.encrypt(der, nonce).ciphertext)),
    }
    body = base64.encodebytes(json.dumps(document).encode())
    label = f"ENCRYPTED {label} PRIVATE KEY"
    return f"-----BEGIN {label}-----\n".encode() + body + f"-----END {label}-----\n".encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
