"""A log that lines are appended to. Only its owner may read it.

Each line is one `write` with O_APPEND, so lines of several threads and processes stay whole.
"""

import os
from collections.abc import Callable
from pathlib import Path

from ccgpu.store.atomic import PRIVATE

Write = Callable[[int, bytes], int]


class LineLog:
    """An open log. A disk that is full later ends the log, not the command that writes to it."""

    def __init__(self, path: Path, write: Write = os.write) -> None:
        """Open the file, or make it; raises `OSError`."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file: int | None = os.open(path, flags, PRIVATE)
        self._write = write

    def append(self, line: str) -> None:
        """Append the line."""
        if self._file is None:
            return
        try:
            self._write(self._file, f"{line}\n".encode())
        except OSError:
            self._file = None
