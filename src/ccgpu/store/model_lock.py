"""The lock file of a model: its manifest. A later run needs no lookup, and takes nothing else."""

from pathlib import Path

from ccgpu.domain.model_manifest import MAX_BYTES, ModelManifest, parse_manifest
from ccgpu.errors import InvalidFile, Problem, UsageProblem
from ccgpu.store import atomic


def read(path: Path) -> ModelManifest:
    """The manifest in a lock file.

    Raises:
        InvalidFile: it is not a manifest, or cannot be read.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        return parse_manifest(raw)
    except OSError as err:
        raise InvalidFile(str(path), [Problem("", f"cannot be read: {err.strerror}")]) from err
    except ValueError as err:
        raise InvalidFile(
            str(path), [Problem("", str(err))], hint="remove it to look the model up anew"
        ) from err


def write(path: Path, manifest: ModelManifest) -> None:
    """Write the canonical bytes of the manifest, and a newline."""
    try:
        atomic.replace(path, manifest.to_bytes() + b"\n", mode=atomic.OUTPUT)
    except OSError as err:
        raise UsageProblem(f"{path} cannot be written: {err.strerror}") from err
