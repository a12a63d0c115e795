"""The process's streams as consoles. One whose reader has gone away falls silent, and no more."""

import io
import os
from typing import TextIO

from rich.console import Console

# Where nobody looks at it, a line is as long as it is: scripts read lines, not cells.
_UNLIMITED = 10_000


class Stream(Console):
    """A console over a stream of the process."""

    def on_broken_pipe(self) -> None:
        """The reader has closed the pipe (`| head`): a create must not die of that half-way."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())  # for what is still buffered, at exit
        os.close(nowhere)


def console(stream: TextIO) -> Console:
    """A console as wide as the terminal, or as COLUMNS says."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # in a locale that lacks a sign
    wide = not stream.isatty() and not os.environ.get("COLUMNS")
    width = _UNLIMITED if wide else None
    return Stream(file=stream, highlight=False, markup=False, emoji=False, width=width)
