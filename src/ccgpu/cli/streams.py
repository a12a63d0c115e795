"""The process's own streams, to which no write fails.

A reader that has gone away, a full disk behind `>file`, a closed descriptor: the work goes on
without them. What could not be written is remembered, so that a lost answer can be told. It is done
below Python's buffers, so that it holds for whoever writes: rich, the parser, a traceback, and the
interpreter when it ends.
"""

import errno
import io
import os
import select
import stat
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# Nobody reads any more. To a terminal that has hung up, a write fails with EIO.
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN)


class Unfailing(io.FileIO):
    """A descriptor that takes every write. `failure` is the first one that was lost."""

    def __init__(self, number: int, *, resumes: bool) -> None:
        """`resumes`: try again with the next write, because half of what is said is of use."""
        super().__init__(number, "wb", closefd=False)
        self.failure: OSError | None = None
        self._resumes = resumes
        self._torn = False  # what is there ends in the middle of a line

    def write(self, data: "ReadableBuffer") -> int:
        """Write it, or lose it."""
        size = memoryview(data).nbytes
        if self.failure is not None and not self._resumes:
            return size
        try:
            if self.failure is not None and self._torn:
                self._write(b"\n")
            count = self._write(data)
        except OSError as err:
            self.failure = self.failure or err
            return size
        self._torn = bytes(memoryview(data).cast("B")[count - 1 : count]) != b"\n"
        return count

    def _write(self, data: "ReadableBuffer") -> int:
        """Write some of it; a descriptor that somebody has made non-blocking is waited for."""
        while (count := super().write(data)) is None:
            select.select([], [self], [])
        return count

    def lost(self) -> OSError | None:
        """Why something was not written; None if only the reader has gone, or nothing is lost."""
        if self.failure is None or self.failure.errno in _GONE:
            return None
        hung_up = self.failure.errno == errno.EIO and stat.S_ISCHR(os.fstat(self.fileno()).st_mode)
        return None if hung_up else self.failure


def begin() -> None:
    """Put streams that cannot fail in the place of the process's own."""
    _open_closed()
    sys.stdout = _text(sys.stdout, resumes=False)
    sys.stderr = _text(sys.stderr, resumes=True)


def lost(stream: TextIO) -> str | None:
    """Why a part of what was written to the stream is lost, in the system's words."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if not isinstance(raw, Unfailing):
        return None
    stream.flush()
    failure = raw.lost()
    return None if failure is None else failure.strerror or str(failure)


def _text(stream: TextIO, *, resumes: bool) -> TextIO:
    """The same stream, by the same rules of text; what its encoding lacks is written as escapes."""
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(Unfailing(stream.fileno(), resumes=resumes)),
        encoding=stream.encoding,
        errors="backslashreplace",
        newline="\n",
        line_buffering=resumes or stream.isatty(),
    )


def _open_closed() -> None:
    """A file that is opened where a stream was closed (`2>&-`) would be written into as one."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, number)
            if nowhere != number:
                os.close(nowhere)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
