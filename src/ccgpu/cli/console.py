"""The process's streams as consoles. One whose reader has gone away falls silent, and no more."""

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, cast

from rich.console import Console

# Where nobody looks at it, a line is as long as it is: scripts read lines, not cells.
_UNLIMITED = 10_000


class Written:
    """A stream whose terminal may hang up; that is told as a pipe that has broken."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write."""
        with _hung_up():
            return self._stream.write(text)

    def flush(self) -> None:
        """Flush."""
        with _hung_up():
            self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextmanager
def _hung_up() -> Iterator[None]:
    try:
        yield
    except OSError as err:
        if err.errno != errno.EIO:
            raise
        raise BrokenPipeError(errno.EPIPE, "the terminal is gone") from err


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
    file = cast("TextIO", Written(stream))
    return Stream(file=file, highlight=False, markup=False, emoji=False, width=width)
