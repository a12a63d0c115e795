"""Writes evidence bundles to new files."""

from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.errors import UsageProblem
from ccgpu.store import atomic
from ccgpu.store.documents import reason

if TYPE_CHECKING:
    from ccgpu.domain.bundle import EvidenceBundle


def write(path: Path, bundle: "EvidenceBundle") -> None:
    """Write a bundle as JSON to a new file.

    Raises:
        UsageProblem: the file exists, or cannot be written.
    """
    text = bundle.model_dump_json(by_alias=True, exclude_none=True, indent=2) + "\n"
    try:
        atomic.create(path, text.encode(), mode=atomic.OUTPUT)
    except FileExistsError as err:
        raise UsageProblem(f"{path} already exists", hint="name another file") from err
    except OSError as err:
        raise UsageProblem(f"{path} cannot be written: {reason(err)}") from err
