"""Reads files that the user names: by a path, or standard input by `-`.

`cli/main.py` says what standard input is. It is kept as it is read, so that a second read gets the
same bytes; the parser refuses two options that both name it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ccgpu.errors import UsageProblem

STDIN = "-"
STDIN_NAME = "standard input"  # in messages


@dataclass(slots=True)
class StandardInput:
    """What was piped in. source: opens it; None if it is a terminal."""

    source: Callable[[], BinaryIO | None]
    _stream: BinaryIO | None = field(default=None, init=False)
    _kept: bytes = field(default=b"", init=False)

    def head(self, limit: int) -> bytes:
        """The first `limit` bytes; raises `UsageProblem` if it is a terminal."""
        self._stream = self._stream or self.source()
        if self._stream is None:
            raise UsageProblem("- is standard input, and that is a terminal", hint="pipe it in")
        while len(self._kept) < limit and (more := self._stream.read(limit - len(self._kept))):
            self._kept += more
        return self._kept[:limit]


_INPUT: ContextVar[StandardInput] = ContextVar("standard_input")


@contextmanager
def standard_input(source: Callable[[], BinaryIO | None]) -> Iterator[None]:
    """Standard input within the block; None for a terminal."""
    token = _INPUT.set(StandardInput(source))
    try:
        yield
    finally:
        _INPUT.reset(token)


def is_stdin(path: Path | str) -> bool:
    """Whether a path stands for standard input."""
    return str(path) == STDIN


def read_head(path: Path, limit: int) -> bytes:
    """The first `limit` bytes of a file, or of standard input.

    Raises:
        OSError, ValueError: The file cannot be read; `ValueError` for a path that no system call
            takes.
        UsageProblem: Standard input is a terminal.
    """
    if is_stdin(path):
        return _INPUT.get(StandardInput(lambda: None)).head(limit)
    with path.open("rb") as stream:
        return stream.read(limit)


def input_name(path: Path | str) -> str:
    """The name of a file in messages."""
    return STDIN_NAME if is_stdin(path) else str(path)


def recorded_name(path: Path) -> str:
    """The name of a file in documents, which are read in other folders."""
    return STDIN_NAME if is_stdin(path) else str(path.absolute())


def require_file(path: Path, why: str) -> None:
    """Raise `UsageProblem` for standard input. why: what needs a file, as a sentence."""
    if is_stdin(path):
        raise UsageProblem(f"- is standard input: {why}", hint="name a file")
