"""Takes secrets into memory of this VM, lists them, and removes them.

The parts are sent over the channel as one script (`ccgpu/guest/release.py`), and never stored in
the VM. They need root, Python 3.10 and, to open a message, Ubuntu's package python3-cryptography.
The message is in the script's text; no value is ever in an argument, an answer, a log or the
environment.
"""

import argparse
import base64
import ctypes
import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ccgpu.templates.guest.release.files import (
    NAME,
    NewSecret,
    StoredFile,
    list_secrets,
    opened_secrets,
    remove_secrets,
    require_memory,
    take_key,
    write_secrets,
)
from ccgpu.templates.guest.release.hpke import (
    ABSENT,
    CannotBeOpened,
    load_private_key,
    open_message,
)
from ccgpu.templates.guest.release.refusal import ReleaseError

ANSWER, ERROR, CONTENT = "ccgpu.release/1", "ccgpu.release-error/1", "ccgpu.secrets/1"
PR_SET_DUMPABLE = 4  # linux/prctl.h
VALUE_LIMIT, MOST_SECRETS = 64 * 1024, 16
LAST_OWNER = 2**32 - 2
PACKAGE = "python3-cryptography"


def open_secrets(root: Path, bound: bytes, verdict: bytes, sealed: bytes) -> list[StoredFile]:
    """Open the message that was sealed for this binding and verdict, and write its secrets."""
    if ABSENT:
        raise ReleaseError("crypto.absent", f"{PACKAGE} cannot be used: {ABSENT}")
    require_memory(root)
    forbid_core_dumps()
    pem = take_key(root)  # which deletes it: it works once, whatever the message is
    try:
        private = load_private_key(pem)
        content = open_message(private, sealed, prefixed(bound) + prefixed(verdict))
    except CannotBeOpened as err:
        raise ReleaseError("seal", f"{err}: the message is for another VM, boot or run") from err
    secrets = read_content(content)
    with opened_secrets(root, make=True) as folder:
        write_secrets(folder, secrets)
    return [StoredFile(one.name, len(one.value), one.owner) for one in secrets]


def prefixed(part: bytes) -> bytes:
    """A part after its length (4 bytes, big endian)."""
    return len(part).to_bytes(4, "big") + part


def forbid_core_dumps() -> None:
    """No image of this process is written to a disk if it fails."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def read_content(content: bytes) -> list[NewSecret]:
    """The secrets in the opened message. What is wrong with it is told without a word of it."""
    try:
        document = json.loads(content)
        secrets = [
            NewSecret(one["name"], base64.b64decode(one["value"], validate=True), one["owner"])
            for one in document["secrets"]
        ]
        good = document["schema"] == CONTENT and 0 < len(secrets) <= MOST_SECRETS
        good = good and len({one.name for one in secrets}) == len(secrets)
        good = good and all(map(is_acceptable, secrets))
    except (ValueError, TypeError, KeyError, AttributeError):
        good, secrets = False, []
    if not good:
        raise ReleaseError("content", "the opened message does not hold secrets of this version")
    return secrets


def is_acceptable(secret: NewSecret) -> bool:
    """Whether a secret is within the limits."""
    is_owner = type(secret.owner) is int and 0 <= secret.owner <= LAST_OWNER
    return bool(NAME.fullmatch(secret.name)) and 0 < len(secret.value) <= VALUE_LIMIT and is_owner


def parse_request(text: str) -> dict[str, Any]:
    """The JSON object in the argument."""
    try:
        request = json.loads(text)
    except ValueError as err:
        raise ReleaseError("request", "the request is no JSON") from err
    if not isinstance(request, dict):
        raise ReleaseError("request", "the request is not an object")
    return request


def answer(root: Path, request: dict[str, Any], sealed: bytes) -> list[StoredFile]:
    """Carry out a request; returns the secrets it is about."""
    action = request.get("action")
    if action == "open" and set(request) == {"action", "bound", "verdict"}:
        return open_secrets(
            root, read_hex(request, "bound", 64), read_hex(request, "verdict", 32), sealed
        )
    if action == "list" and set(request) == {"action"}:
        with opened_secrets(root, make=False) as folder:
            return list_secrets(folder)
    if action == "remove" and set(request) == {"action", "names"}:
        names = read_names(request["names"])
        with opened_secrets(root, make=False) as folder:
            return remove_secrets(folder, names)
    raise ReleaseError("request", "the action is not open, list or remove with what belongs to it")


def read_hex(request: dict[str, Any], name: str, size: int) -> bytes:
    """So many bytes, in hex."""
    try:
        value = bytes.fromhex(request[name])
    except (ValueError, TypeError) as err:
        raise ReleaseError("request", f"{name} is not hex") from err
    if len(value) != size:
        raise ReleaseError("request", f"{name} has {len(value)} bytes, not {size}")
    return value


def read_names(value: Any) -> list[str]:
    """The names of secrets in a request, each once."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ReleaseError("request", "names is not a list of texts")
    if not all(map(NAME.fullmatch, value)) or len(set(value)) != len(value):
        raise ReleaseError("request", "names has one that is no name of a secret, or one twice")
    return list(value)


def main(arguments: Sequence[str], sealed: str = "") -> int:
    """Carry out the request, and print what it is about, or the error; returns the exit code.

    sealed: the message, in base64.
    """
    parser = argparse.ArgumentParser("ccgpu-release")
    parser.add_argument("request")
    parser.add_argument("--root", metavar="DIR", default="/")
    options = parser.parse_args(arguments)
    try:
        stored = answer(
            Path(options.root), parse_request(options.request), base64.b64decode(sealed)
        )
        document: dict[str, Any] = {"schema": ANSWER, "secrets": [one._asdict() for one in stored]}
        code = 0
    except ReleaseError as err:
        document, code = {"schema": ERROR, "code": err.code, "message": str(err)}, 1
    except Exception as err:  # noqa: BLE001  # what the client gets must be an answer
        # Its text could quote what was opened.
        document = {
            "schema": ERROR,
            "code": "bug",
            "message": f"{type(err).__name__} in the opener",
        }
        code = 1
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()
    return code
