"""The file of an image's lock. An existing one is used, and a missing one is written."""

from pathlib import Path

from ccgpu.domain.image_lock import MAX_BYTES, ImageLock, dump_lock, parse_lock
from ccgpu.errors import InvalidFile, Problem, UsageProblem
from ccgpu.store import atomic


def read_lock(path: Path) -> ImageLock:
    """The lock in a file.

    Raises:
        InvalidFile: it is not a lock, or cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return parse_lock(stream.read(MAX_BYTES + 1))
    except OSError as err:
        raise InvalidFile(str(path), [Problem("", f"cannot be read: {err.strerror}")]) from err
    except ValueError as err:
        hint = "remove it to resolve the packages anew"
        raise InvalidFile(str(path), [Problem("", str(err))], hint=hint) from err


def write_lock(path: Path, lock: ImageLock) -> None:
    """Write the canonical text of a lock."""
    try:
        atomic.replace(path, dump_lock(lock), mode=atomic.OUTPUT)
    except OSError as err:
        raise UsageProblem(f"{path} cannot be written: {err.strerror}") from err
