"""Reads the SSH host key of `--host-key`: a fingerprint, or a file in OpenSSH's format."""

from pathlib import Path

from ccgpu.domain import hostkey
from ccgpu.domain.hostkey import HostKeyPin
from ccgpu.errors import InvalidFile, Problem, UsageProblem
from ccgpu.store.documents import reason
from ccgpu.store.input_files import input_name, read_head

MAX_BYTES = 64 * 1024
_HINT = "a .pub file, a line of known_hosts, or the fingerprint that `ssh-keygen -lf FILE` prints"


def digest(text: str) -> bytes:
    """SHA-256 of the host key's blob; raises as `pin`."""
    return pin(text).digest


def pin(text: str) -> HostKeyPin:
    """The host key that is pinned by a fingerprint or a file.

    Raises:
        UsageProblem: `text` starts with `SHA256:` but is not a fingerprint.
        InvalidFile: the file cannot be read, or does not hold exactly one Ed25519 key.
    """
    if text.upper().startswith("SHA256:"):
        try:
            return HostKeyPin(hostkey.digest_of(text))
        except ValueError as err:
            raise UsageProblem(f"--host-key {text[:60]!a} {err}", hint=_HINT) from err
    try:
        blob = hostkey.parse(_read_bounded(text))
    except OSError as err:
        raise _refusal(text, f"cannot be read: {reason(err)}") from err
    except ValueError as err:
        raise _refusal(text, str(err)) from err
    return HostKeyPin(hostkey.sha256(blob), blob)


def _read_bounded(text: str) -> bytes:
    raw = read_head(Path(text), MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES} bytes, too much for one host key")
    return raw


def _refusal(text: str, message: str) -> InvalidFile:
    return InvalidFile(input_name(text), [Problem("", message)], hint=_HINT)
