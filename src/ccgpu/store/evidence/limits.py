"""How much is read of evidence, and how a file that cannot be used is refused.

The largest real piece is a reference manifest of 20 KB; event logs of 100 KB have been seen.
"""

from pathlib import Path

from ccgpu.errors import InvalidFile, Problem
from ccgpu.store.documents import reason

MAX_BYTES = 8 * 1024 * 1024
MAX_FILES = 100

HINT = (
    "known are: a ccgpu bundle, a folder of raw files, trustee and attestation-rs JSON, nvattest's"
    " collect-evidence JSON, an HCL or SNP report"
)


def refused(path: Path, message: str) -> InvalidFile:
    """`path` is no evidence that can be read."""
    return InvalidFile(str(path), [Problem("", message)], hint=HINT)


def content(path: Path) -> bytes:
    """The bytes of a file. `InvalidFile` if there are too many, or it cannot be read."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as err:
        raise refused(path, f"cannot be read: {reason(err)}") from err
    if len(data) > MAX_BYTES:
        raise refused(path, f"is larger than {MAX_BYTES} bytes")
    return data
