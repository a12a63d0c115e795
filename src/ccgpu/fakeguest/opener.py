"""The opener in a simulated guest: it takes sealed secrets into memory, lists and removes them.

It answers as the real one does (docs/release.md). The key that the collector made works once, and
is lost at the next boot, as everything below /run is.
"""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ccgpu.fakearm import StoredFile
from ccgpu.fakeguest.collector import take_recipient_key
from ccgpu.fakeguest.commands.call import Ending
from ccgpu.fakeguest.files import FileTree
from ccgpu.fakeguest.guest import SimulatedGuest

FOLDER = "/run/ccgpu/secrets"
_MOST_SECRETS, _MOST_BYTES = 16, 64 * 1024
_NO_OWNER = 2**32 - 1  # chown(2), -1
_OWNERS = "secret-owners"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
# What the script's last line calls `main` with, besides the command line.
_SEALED = re.compile(rb"\.main\(sys\.argv\[2:\], '([A-Za-z0-9+/=]*)'\)\)\s*\Z")
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_INJECTED: Mapping[str, str] = {
    "crypto.absent": "python3-cryptography cannot be used: No module named 'cryptography'",
    "disk": "/run/ccgpu/secrets is not in memory: /run is mounted from a disk",
    "swap": "swap is on: what is in memory could reach a disk",
    "write": "a secret cannot be written: No space left on device",
}


class _Refusal(Exception):
    """An error of the opener; its arguments are code and message."""


class _Opened(NamedTuple):
    """A secret in the opened message."""

    name: str
    value: bytes
    owner: int


def run_opener(guest: SimulatedGuest, request: str, script: bytes, user: str) -> Ending:
    """Answer a request with the secrets it is about, or with an error document."""
    try:
        _require_root(user)
        stored = _answer(guest, _read_request(request), script)
    except _Refusal as err:
        code, message = err.args
        return _ending(1, {"schema": "ccgpu.release-error/1", "code": code, "message": message})
    return _ending(0, {"schema": "ccgpu.release/1", "secrets": stored})


def _require_root(user: str) -> None:
    if user != "root":
        raise _Refusal("folder", "/run/ccgpu cannot be opened: Permission denied")


def _ending(code: int, document: Mapping[str, Any]) -> Ending:
    return Ending(code, json.dumps(document).encode() + b"\n")


def _read_request(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as err:
        raise _Refusal("request", "the request is no JSON") from err


def _answer(guest: SimulatedGuest, request: Any, script: bytes) -> list[Any]:
    match request:
        case {"action": "open", "bound": str(bound), "verdict": str(verdict), **rest} if not rest:
            return _open(guest, _read_hex(bound, 64), _read_hex(verdict, 32), script)
        case {"action": "list", **rest} if not rest:
            return _list(guest)
        case {"action": "remove", "names": list(names), **rest} if not rest:
            return _remove(guest, names)
        case _:
            raise _Refusal(
                "request", "the action is not open, list or remove with what belongs to it"
            )


def _read_hex(text: str, size: int) -> bytes:
    if not re.fullmatch(rf"[0-9a-fA-F]{{{2 * size}}}", text):
        raise _Refusal("request", f"it is not hex of {size} bytes")
    return bytes.fromhex(text)


def _open(guest: SimulatedGuest, bound: bytes, verdict: bytes, script: bytes) -> list[Any]:
    injected = guest.settings["opener"]
    if injected in ("crypto.absent", "disk", "swap"):
        raise _Refusal(injected, _INJECTED[injected])
    private = take_recipient_key(guest)
    if private is None:
        raise _Refusal(
            "key.absent",
            "the VM has no key to open secrets with: it has been used, or the VM was restarted",
        )
    info = b"".join(len(part).to_bytes(4, "big") + part for part in (bound, verdict))
    secrets = _read_content(_decrypt(private, _read_sealed(script), info))
    if injected:
        raise _Refusal(injected, _INJECTED[injected])
    files, owners = FileTree(guest), _owners(guest)
    for one in secrets:
        files.write(f"{FOLDER}/{one.name}", StoredFile(0o600, one.value))
        owners[one.name] = one.owner
    guest.machine.rows.record(_OWNERS, json.dumps(owners))
    return [{"name": one.name, "size": len(one.value), "owner": one.owner} for one in secrets]


def _read_sealed(script: bytes) -> bytes:
    found = _SEALED.search(script)
    return base64.b64decode(found[1]) if found else b""


def _decrypt(private: X25519PrivateKey, sealed: bytes, info: bytes) -> bytes:
    try:
        return _SUITE.decrypt(sealed, private, info)
    except (InvalidTag, ValueError) as err:
        raise _Refusal(
            "seal",
            "the message does not open with this key: the message is for another VM, boot or run",
        ) from err


def _read_content(content: bytes) -> list[_Opened]:
    try:
        document = json.loads(content)
        secrets = [
            _Opened(one["name"], base64.b64decode(one["value"], validate=True), one["owner"])
            for one in document["secrets"]
        ]
        good = document["schema"] == "ccgpu.secrets/1" and all(map(_is_acceptable, secrets))
    except (ValueError, TypeError, KeyError):
        good, secrets = False, []
    if not good or not 0 < len({one.name for one in secrets}) == len(secrets) <= _MOST_SECRETS:
        raise _Refusal("content", "the opened message does not hold secrets of this version")
    return secrets


def _is_acceptable(secret: _Opened) -> bool:
    is_owner = type(secret.owner) is int and 0 <= secret.owner < _NO_OWNER
    return bool(_NAME.fullmatch(secret.name)) and 0 < len(secret.value) <= _MOST_BYTES and is_owner


def _owners(guest: SimulatedGuest) -> dict[str, int]:
    return dict(json.loads(guest.machine.rows.fact(_OWNERS) or "{}"))


def _list(guest: SimulatedGuest) -> list[Any]:
    files, owners = FileTree(guest), _owners(guest)
    found = []
    for path in files.list_below(FOLDER):
        file, name = files.read(path), path.removeprefix(f"{FOLDER}/")
        if file is not None:
            found.append({"name": name, "size": len(file.data), "owner": owners.get(name, 0)})
    return found


def _remove(guest: SimulatedGuest, names: list[Any]) -> list[Any]:
    good = all(isinstance(name, str) and _NAME.fullmatch(name) for name in names)
    if not good or len(set(names)) != len(names):
        raise _Refusal("request", "names has one that is no name of a secret, or one twice")
    there = {one["name"]: one for one in _list(guest)}
    found = [name for name in names if name in there]
    for name in found:
        FileTree(guest).remove(f"{FOLDER}/{name}")
    return [there[name] for name in found]
