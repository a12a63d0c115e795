"""Writes evidence bundles: to new files of the user, and into the state folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.errors import StateUnusable, UsageProblem
from ccgpu.store import atomic
from ccgpu.store.documents import reason

if TYPE_CHECKING:
    from ccgpu.domain.bundle import EvidenceBundle


def write(path: Path, bundle: "EvidenceBundle") -> None:
    """Write a bundle as JSON to a new file.

    Raises:
        UsageProblem: the file exists, or cannot be written.
    """
    try:
        atomic.create(path, _encode(bundle), mode=atomic.OUTPUT)
    except FileExistsError as err:
        raise UsageProblem(f"{path} already exists", hint="name another file") from err
    except OSError as err:
        raise UsageProblem(f"{path} cannot be written: {reason(err)}") from err


def replace(path: Path, bundle: "EvidenceBundle") -> None:
    """Write a bundle as JSON into the state folder, in place of an older one.

    Raises:
        StateUnusable: it cannot be written.
    """
    try:
        atomic.replace(path, _encode(bundle))
    except OSError as err:
        raise StateUnusable(
            f"cannot write the evidence to {path}: {reason(err)}",
            hint="free disk space or fix the permissions",
        ) from err


def _encode(bundle: "EvidenceBundle") -> bytes:
    return (bundle.model_dump_json(by_alias=True, exclude_none=True, indent=2) + "\n").encode()
