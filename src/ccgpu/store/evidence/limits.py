"""Limits on reading evidence, and the error for files that cannot be used.

The largest real piece is an event log of 100 KB; a reference manifest has 20 KB. `bounds` has the
limits on pieces after reading. An error names the limit that is exceeded.
"""

from pathlib import Path

from ccgpu.domain.plain_text import one_line
from ccgpu.errors import InvalidFile, Problem
from ccgpu.store.documents import reason
from ccgpu.store.input_files import input_name, read_head

MAX_BYTES = 8 * 1024 * 1024  # of one file
MAX_TOTAL_BYTES = 16 * 1024 * 1024  # of all files of a folder
MAX_FILES = 100
MAX_ENTRIES = 1000  # of a folder, whatever they are
MAX_JSON_VALUES = 100_000

KNOWN_FORMATS = (
    "a ccgpu bundle",
    "a folder of raw files",
    "trustee's and attestation-rs's JSON",
    "nvattest's collect-evidence JSON",
    "an NRAS request",
    "an HCL or SNP report",
    "a token of NVIDIA's or Microsoft's service",
)
HINT = f"known formats: {', '.join(KNOWN_FORMATS)}"


class LimitExceeded(ValueError):
    """A limit is exceeded; the text names it."""


def invalid_evidence(path: Path, message: str) -> InvalidFile:
    """The error that `path` is no usable evidence. `message` may quote its content."""
    return InvalidFile(one_line(input_name(path)), [Problem("", one_line(message))], hint=HINT)


def read_bytes(path: Path, at_most: int = MAX_BYTES) -> bytes:
    """The bytes of a file. `InvalidFile` if it is unreadable, or has more than `at_most` bytes."""
    try:
        data = read_head(path, at_most + 1)
    except (OSError, ValueError) as err:
        raise invalid_evidence(path, f"cannot be read: {reason(err)}") from err
    if len(data) > at_most:
        raise invalid_evidence(path, f"is larger than {at_most} bytes")
    return data
