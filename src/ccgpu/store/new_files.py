"""Writes new files of the user, whole or not at all."""

from pathlib import Path

from ccgpu.errors import UsageProblem
from ccgpu.store import atomic
from ccgpu.store.documents import reason


def write(path: Path, data: bytes, hint: str = "name another file") -> None:
    """Write a new file; the umask decides who may read it. `hint`: what to do if it exists.

    Raises:
        UsageProblem: the file exists, or cannot be written.
    """
    try:
        atomic.create(path, data, mode=atomic.OUTPUT)
    except FileExistsError as err:
        raise UsageProblem(f"{path} already exists", hint=hint) from err
    except OSError as err:
        raise UsageProblem(f"{path} cannot be written: {reason(err)}") from err
