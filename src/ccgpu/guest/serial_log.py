"""The SSH host key that a VM has printed on its serial console. Pure.

cloud-init prints the public host keys once, at the end of the first boot, between two marker lines
(cloud-init, `tools/write-ssh-key-fingerprints`; module keys_to_console). Only what stands between
them counts. The kernel and services write to the same console, so foreign lines may stand between
them, too, and a line of them may break a key. A key with another length is no key.

The log comes from Azure's host, so this key is as trustworthy as Azure; an attested binding of the
key is what makes it more.
"""

import base64
import re
from collections.abc import Iterator

from ccgpu.domain import hostkey
from ccgpu.errors import HostKeyMismatch

_BEGIN = "-----BEGIN SSH HOST KEY KEYS-----"
_END = "-----END SSH HOST KEY KEYS-----"
# ECMA-48: a control sequence, an operating system command (xterm), any other escape.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]")
_UNPRINTED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
# What the journal puts before a line that it forwards to the console.
_PREFIX = r"(?:\[ *\d+\.\d+\] )?(?:cloud-init\[\d+\]: )?"
# The blob of 51 bytes, whose start is fixed (RFC 8709, section 4), in base64.
_KEY = re.compile(rf"{_PREFIX}ssh-ed25519 (AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{{43}})(?: .*)?")
_MARKER = re.compile(rf"{_PREFIX}({_BEGIN}|{_END})")


def host_key(log: str) -> bytes | None:
    """The ssh-ed25519 key blob in a serial log; None if no complete block of keys has one.

    A VM that prints its keys at each boot prints the same key again.

    Raises:
        HostKeyMismatch: two different keys are printed, so neither can be believed.
    """
    keys = {blob for block in _blocks(log) for blob in _keys(block)}
    if len(keys) > 1:
        shown = ", ".join(sorted(hostkey.fingerprint(hostkey.sha256(blob)) for blob in keys))
        raise HostKeyMismatch(
            f"the serial log has {len(keys)} different Ed25519 host keys, so none of them is "
            f"believed: {shown}",
            hint="`ccgpu logs --serial` prints it; delete the VM if you cannot explain it",
        )
    return keys.pop() if keys else None


def plain_lines(log: str) -> list[str]:
    """The lines of a console's output without control sequences and control characters."""
    text = _CONTROL.sub("", log.replace("\r\n", "\n").replace("\r", "\n"))
    return [_UNPRINTED.sub("", line).rstrip() for line in text.split("\n")]


def _blocks(log: str) -> Iterator[list[str]]:
    """The lines of each complete block; one that a power failure has cut is not complete."""
    block: list[str] | None = None
    for line in plain_lines(log):
        marker = _MARKER.fullmatch(line)
        if marker is None:
            if block is not None:
                block.append(line)
        elif marker[1] == _BEGIN:
            block = []
        elif block is not None:
            yield block
            block = None


def _keys(block: list[str]) -> Iterator[bytes]:
    for line in block:
        if match := _KEY.fullmatch(line):
            blob = base64.b64decode(match[1])
            # Not every 43 digits are the end of 51 bytes that begin like this.
            if len(blob) == hostkey.BLOB_SIZE and base64.b64encode(blob).decode() == match[1]:
                yield hostkey.parse(blob)
