"""Standard streams whose writes never raise.

A command continues if a pipe's reader has gone, the disk behind `>file` is full, or a descriptor is
closed. The first failure is recorded, so that `main` can report a lost answer. The streams replace
Python's raw files, so they apply to every writer: rich, the parser, a traceback, and the
interpreter at its exit.
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

# The errors if the reader has gone. A write to a terminal that has hung up fails with EIO.
_READER_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN)


class Unfailing(io.FileIO):
    """A raw file whose writes never raise. `failure` is the error of the first failed write."""

    def __init__(self, number: int, *, resumes: bool) -> None:
        """Open the descriptor `number`.

        Args:
            number: the descriptor.
            resumes: whether to write again after a failure. Incomplete messages are useful, an
                incomplete answer is not.
        """
        super().__init__(number, "wb", closefd=False)
        self.failure: OSError | None = None
        self._resumes = resumes
        self._torn = False  # the output ends in the middle of a line

    def write(self, data: "ReadableBuffer") -> int:
        """Write the data, or discard it after a failure."""
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
        """Write a part of the data; wait if the descriptor is non-blocking and full."""
        while (count := super().write(data)) is None:
            select.select([], [self], [])
        return count

    def lost(self) -> OSError | None:
        """The failure to report; None without one, or if only the reader has gone."""
        if self.failure is None or self.failure.errno in _READER_GONE:
            return None
        hung_up = self.failure.errno == errno.EIO and stat.S_ISCHR(os.fstat(self.fileno()).st_mode)
        return None if hung_up else self.failure


def begin() -> None:
    """Replace `sys.stdout` and `sys.stderr` by streams whose writes never raise."""
    _open_closed()
    sys.stdout = _unfailing(sys.stdout, resumes=False)
    sys.stderr = _unfailing(sys.stderr, resumes=True)


def lost(stream: TextIO) -> str | None:
    """The system's message of the stream's failed write, or None."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if not isinstance(raw, Unfailing):
        return None
    stream.flush()
    failure = raw.lost()
    return None if failure is None else failure.strerror or str(failure)


def _unfailing(stream: TextIO, *, resumes: bool) -> TextIO:
    """The stream with the same encoding; characters outside of it are written as escapes."""
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(Unfailing(stream.fileno(), resumes=resumes)),
        encoding=stream.encoding,
        errors="backslashreplace",
        newline="\n",
        line_buffering=resumes or stream.isatty(),
    )


def _open_closed() -> None:
    """Open /dev/null for each closed standard stream (`2>&-`).

    Otherwise the next opened file would get that descriptor, and messages would be written into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, number)
            if nowhere != number:
                os.close(nowhere)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
