"""Secrets in the VM: sealed here to the VM's release key, opened there into memory.

HPKE (RFC 9180) in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. Whether a VM may
have a secret is not decided here: `workflows.release` alone seals.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ccgpu.domain import plain_text
from ccgpu.domain.secret import Secret, is_secret_name
from ccgpu.errors import ReleaseFailed
from ccgpu.guest.channel import CommandRunner, Completed
from ccgpu.guest.scripts import assemble_script

NAME = "ccgpu-release"
SCHEMA, ERROR_SCHEMA, CONTENT = "ccgpu.release/1", "ccgpu.release-error/1", "ccgpu.secrets/1"
FOLDER = "/run/ccgpu/secrets"
TIMEOUT = 60.0  # seconds
KEY_SIZE = 32  # bytes of a recipient key (X25519)
_ANSWER_LIMIT = 1024 * 1024  # bytes
_PARTS = (
    *("release.refusal", "release.memory", "release.hpke", "release.files"),
    "release.main",
)
_AGAIN = "run the same command again: it attests the VM anew, and makes a new key"
_REPORT = "this is a bug in ccgpu: please report it, with the message"
_NEEDS = "who logs in needs `sudo` without a password, and the VM Python 3.10 or later"
# What to do about each error that the script knows.
HINTS = {
    "bug": _REPORT,
    "content": "use the same version of ccgpu again",
    "crypto.absent": "run `sudo apt-get install python3-cryptography` in the VM; ccgpu installs it "
    "at the first boot",
    "disk": "mount a tmpfs at /run in the VM, as systemd does",
    "error": "the VM must have /proc",
    "folder": "/run/ccgpu and /run/ccgpu/secrets must be absent, or folders of root alone",
    "key.absent": _AGAIN,
    "key.unsafe": _AGAIN,
    "request": _REPORT,
    "seal": _AGAIN,
    "swap": "turn swap off in the VM (`swapoff -a`)",
    "write": "look at the free memory of the VM: /run is in it",
}


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret that is in the VM, without its value. size: in bytes; owner: a user id."""

    name: str
    size: int
    owner: int

    @property
    def path(self) -> str:
        """Its file in the VM."""
        return f"{FOLDER}/{self.name}"


def release_info(bound: bytes, verdict_sha256: bytes) -> bytes:
    """The `info` that a message is sealed with: what it is for.

    bound: B of ccgpu-bind-v1 (64 bytes). verdict_sha256: of the verdict document (32 bytes).
    """
    return b"".join(len(part).to_bytes(4, "big") + part for part in (bound, verdict_sha256))


def seal(secrets: Sequence[Secret], recipient_key: bytes, info: bytes) -> bytes:
    """One message with all secrets: the encapsulated key (32 bytes), ciphertext and tag.

    Raises:
        ReleaseFailed: The recipient key (32 bytes) cannot be sealed to.
    """
    from cryptography.hazmat.primitives import hpke
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    listed = [
        {"name": one.name, "owner": one.owner, "value": base64.b64encode(one.value).decode("ascii")}
        for one in secrets
    ]
    content = json.dumps({"schema": CONTENT, "secrets": listed}).encode()
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    try:
        return suite.encrypt(content, X25519PublicKey.from_public_bytes(recipient_key), info)
    except ValueError as err:  # its size, or a point of low order (RFC 7748, §6.1)
        raise ReleaseFailed("the VM's release key is no usable X25519 key", reason="key") from err


def command_line(request: dict[str, Any]) -> list[str]:
    """The command to run in the VM; its input is the script."""
    text = json.dumps(request, separators=(",", ":"))
    return ["sudo", "-n", "python3", "-I", "-", NAME, text]


def script(sealed: bytes = b"") -> bytes:
    """The script that opens, lists and removes, with the sealed message in its text."""
    return assemble_script(_PARTS, base64.b64encode(sealed).decode("ascii"))


def open_in_guest(
    runner: CommandRunner,
    sealed: bytes,
    bound: bytes,
    verdict_sha256: bytes,
    *,
    timeout: float = TIMEOUT,
) -> tuple[StoredSecret, ...]:
    """Send a sealed message, which the VM opens; returns the secrets that are there now.

    Raises:
        ReleaseFailed: The VM did not take them.
        GuestUnreachable, HostKeyMismatch, ConnectionLost, TimedOut: As `Channel` says.
    """
    request = {"action": "open", "bound": bound.hex(), "verdict": verdict_sha256.hex()}
    return parse(runner.run(command_line(request), script(sealed), timeout=timeout))


def list_secrets(runner: CommandRunner, *, timeout: float = TIMEOUT) -> tuple[StoredSecret, ...]:
    """The secrets that are in the VM, by name; raises as `open_in_guest`."""
    return parse(runner.run(command_line({"action": "list"}), script(), timeout=timeout))


def remove_secrets(
    runner: CommandRunner, names: Sequence[str], *, timeout: float = TIMEOUT
) -> tuple[StoredSecret, ...]:
    """Overwrite and delete secrets in the VM; returns those that were there.

    Raises as `open_in_guest`.
    """
    command = command_line({"action": "remove", "names": list(names)})
    return parse(runner.run(command, script(), timeout=timeout))


def parse(done: Completed) -> tuple[StoredSecret, ...]:
    """The secrets that the script's answer is about.

    Raises:
        ReleaseFailed: It is an error, or no answer of this script.
    """
    document = _read_document(done)
    if document.get("schema") == ERROR_SCHEMA:
        raise _refusal(document)
    if done.exit_code or document.get("schema") != SCHEMA:
        raise _unreadable(f"exit code {done.exit_code}, schema {document.get('schema')!r}")
    try:
        return tuple(map(_stored, document["secrets"]))
    except (ValueError, TypeError, KeyError) as err:
        raise _unreadable(f"{type(err).__name__}: {err}") from err


def _read_document(done: Completed) -> dict[str, Any]:
    """The JSON object that was printed. Nothing else of the output is ever quoted."""
    if len(done.stdout) > _ANSWER_LIMIT:
        raise _unreadable(f"it has more than {_ANSWER_LIMIT} bytes")
    try:
        document = json.loads(done.stdout)
    except (ValueError, RecursionError) as err:
        raise _unreadable(
            f"no JSON{_complaint(done)}", hint=_NEEDS if done.exit_code else None
        ) from err
    if not isinstance(document, dict):
        raise _unreadable("it is not an object")
    return document


def _complaint(done: Completed) -> str:
    """How it ended; of its messages only those of sudo, which has seen no secret."""
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    said = [f": {line}" for line in lines if line.startswith("sudo:")][-1:]
    return "".join([f"; it ended with exit code {done.exit_code}", *said]) if done.exit_code else ""


def _stored(entry: Any) -> StoredSecret:
    name, size, owner = entry["name"], entry["size"], entry["owner"]
    if not isinstance(name, str) or not is_secret_name(name):
        raise ValueError("a secret has no usable name")
    if type(size) is not int or type(owner) is not int:
        raise TypeError("size and owner are numbers")
    return StoredSecret(name, size, owner)


def _refusal(document: dict[str, Any]) -> ReleaseFailed:
    code, message = (str(document.get(name, "none"))[:500] for name in ("code", "message"))
    text = plain_text.one_line(f"{message} ({code})")
    return ReleaseFailed(f"the VM did not do it: {text}", reason=code, hint=HINTS.get(code))


def _unreadable(what: str, hint: str | None = None) -> ReleaseFailed:
    text = plain_text.one_line(what[:500])
    return ReleaseFailed(
        f"the answer of the guest's opener cannot be read: {text}", reason="answer", hint=hint
    )
