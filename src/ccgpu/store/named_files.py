"""Reads a plain file that a spec names by its path. Errors never show its content."""

import os
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from ccgpu.store.documents import reason
from ccgpu.store.input_files import is_stdin, read_head


def read_bounded(entry: str, folder: Path, limit: int, wanted: str) -> bytes:
    """The first `limit` + 1 bytes of the file `entry`, whose path is relative to `folder`.

    `-` without a folder is standard input. wanted: what to name instead of a folder or a device, as
    in `a public key file`.

    Raises:
        ValueError: with the reason, as the end of a sentence.
    """
    try:
        path = folder / Path(entry.strip()).expanduser()
        if is_stdin(path):
            return read_head(path, limit + 1)
        # Checked first: opening a named pipe would block.
        mode = path.stat().st_mode
        if S_ISREG(mode):
            with path.open("rb") as stream:
                return stream.read(limit + 1)
    except RuntimeError:
        raise ValueError("cannot be read: there is no home folder for ~") from None
    except (OSError, ValueError) as err:  # ValueError: a path that no system call takes
        raise ValueError(f"cannot be read: {reason(err)}") from None
    kind = "a folder" if S_ISDIR(mode) else "not a plain file"
    raise ValueError(f"is {kind}, name {wanted}")


def absolute(entry: str, folder: Path) -> str:
    """The absolute path of a file that a spec names; `~` is the home."""
    try:
        return os.path.abspath(folder / Path(entry.strip()).expanduser())  # noqa: PTH100  # resolves no link
    except RuntimeError:  # there is no home: what reads the file says so
        return entry
