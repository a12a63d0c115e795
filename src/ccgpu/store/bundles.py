"""Writes evidence bundles: to new files of the user, and into the state folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.domain.signers import SUFFIX
from ccgpu.errors import StateUnusable
from ccgpu.store import atomic, new_files
from ccgpu.store.documents import reason
from ccgpu.store.folders import path_beside

if TYPE_CHECKING:
    from ccgpu.domain.bundle import EvidenceBundle


def write(path: Path, bundle: "EvidenceBundle") -> bytes:
    """Write a bundle as JSON to a new file; returns the bytes that were written.

    Raises:
        UsageProblem: the file exists, or cannot be written.
    """
    data = encode(bundle)
    new_files.write(path, data)
    return data


def signature_beside(path: Path) -> Path:
    """The file of a bundle's signature: `FILE.sig`."""
    return path_beside(path, SUFFIX)


def replace(path: Path, bundle: "EvidenceBundle") -> None:
    """Write a bundle as JSON into the state folder, in place of an older one.

    Raises:
        StateUnusable: it cannot be written.
    """
    try:
        atomic.replace(path, encode(bundle))
    except OSError as err:
        raise StateUnusable(
            f"cannot write the evidence to {path}: {reason(err)}",
            hint="free disk space or fix the permissions",
        ) from err


def encode(bundle: "EvidenceBundle") -> bytes:
    """The bytes of a bundle's file."""
    return (bundle.model_dump_json(by_alias=True, exclude_none=True, indent=2) + "\n").encode()
