"""Reads the values of secrets on this machine: from files, variables, standard input, programs.

`require_readable` looks at a source without reading its value, before anything is made or asked.
`read` reads it, once the VM is proven. A value is taken as it is: a trailing newline is part of it.
No error shows a value, and none is read beyond what a secret may have.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, BinaryIO

from ccgpu.domain.secret import MOST_BYTES, Secret
from ccgpu.errors import InvalidFile, Problem, UsageProblem
from ccgpu.store.documents import reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ccgpu.domain.spec.secrets import SecretSource

# Path and arguments, environment, the most bytes that are wanted, seconds; returns what it prints.
RunProgram = Callable[[Sequence[str], Mapping[str, str], int, float], bytes]
_KIB = MOST_BYTES // 1024
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class SecretReader:
    """Reads sources on behalf of the caller of ccgpu.

    environ: the caller's environment. stdin: opens standard input; None if it is a terminal. run:
    runs a program, as `workflows.source_command.read_output` does. guard: called before a value is
    read, so that this process is not written to a disk with it.
    """

    environ: Mapping[str, str]
    stdin: Callable[[], BinaryIO | None]
    run: RunProgram
    guard: Callable[[], None] = lambda: None

    def require_readable(self, sources: "Sequence[SecretSource]") -> None:
        """Refuse a source that is not there, or cannot be read. No value is read.

        Raises:
            InvalidFile: A file is missing, unreadable, empty or too large.
            UsageProblem: There is no such variable or program, or nothing on standard input.
        """
        for source in sources:
            match source.source:
                case "file":
                    with _opened(source):
                        pass
                case "env":
                    self._variable(source)
                case "stdin":
                    self._input(source)
                case _:
                    self._program(source)

    def read(self, source: "SecretSource", timeout: float) -> Secret:
        """The secret. timeout: seconds in which a program has to end.

        Raises:
            InvalidFile: A file cannot be read, is empty or too large.
            UsageProblem: The same of another source, or a program has failed.
            TimedOut: The program did not end.
        """
        self.guard()
        match source.source:
            case "file":
                with _opened(source) as stream:
                    value = _read_bounded(stream)
                if len(value) > MOST_BYTES or not value:
                    raise _bad_file(source, _size_problem(len(value)))
            case "env":
                value = os.fsencode(self._variable(source))
            case "stdin":
                value = _read_bounded(self._input(source))
            case _:
                value = self.run(self._program(source), self.environ, MOST_BYTES, timeout)
        if len(value) > MOST_BYTES or not value:
            raise UsageProblem(
                f"secret {source.name}: {source.source_text} {_size_problem(len(value))}"
            )
        return Secret(source.name, value, source.owner)

    def _variable(self, source: "SecretSource") -> str:
        value = self.environ.get(source.env or "")
        if not value:
            what = "is not set" if value is None else "is empty"
            raise UsageProblem(
                f"secret {source.name}: the environment variable {source.env} {what}",
                hint=f"set {source.env} for this command, or name another source",
            )
        if len(os.fsencode(value)) > MOST_BYTES:
            raise UsageProblem(
                f"secret {source.name}: the environment variable {source.env} has more than "
                f"{_KIB} KiB, which is too much for a secret"
            )
        return value

    def _input(self, source: "SecretSource") -> BinaryIO:
        stream = self.stdin()
        if stream is None:
            raise UsageProblem(
                f"secret {source.name} is read from standard input, and that is a terminal",
                hint="give it by a pipe or a file: `… < FILE`",
            )
        return stream

    def _program(self, source: "SecretSource") -> list[str]:
        name, *arguments = source.command or ("",)
        found = shutil.which(name, path=self.environ.get("PATH"))
        if found is None:
            raise UsageProblem(
                f"secret {source.name}: there is no program {name!r} that can be run",
                hint="install it, or name its path; a command is run without a shell",
            )
        return [found, *arguments]


@contextmanager
def _opened(source: "SecretSource") -> "Iterator[BinaryIO]":
    """The file of a source, if it is a plain file of a size that a secret may have."""
    try:
        path = Path(source.file or "").expanduser()
        there = path.stat()  # first: opening a named pipe would block
        stream = path.open("rb") if S_ISREG(there.st_mode) else None
    except RuntimeError:
        raise _bad_file(source, "cannot be read: there is no home folder for ~") from None
    except (OSError, ValueError) as err:  # ValueError: a path that no system call takes
        raise _bad_file(source, f"cannot be read: {reason(err)}") from None
    if stream is None:
        raise _bad_file(source, "is not a plain file: use standard input for a pipe")
    with stream:
        if not there.st_size or there.st_size > MOST_BYTES:
            raise _bad_file(source, _size_problem(there.st_size))
        yield stream


def _read_bounded(stream: BinaryIO) -> bytes:
    """All of a stream, or one byte more than a secret may have."""
    parts: list[bytes] = []
    left = MOST_BYTES + 1
    while left and (part := stream.read(min(left, _CHUNK))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _size_problem(size: int) -> str:
    if not size:
        return "is empty: a secret has at least one byte"
    return f"has more than {_KIB} KiB, which is too much for a secret"


def _bad_file(source: "SecretSource", message: str) -> InvalidFile:
    problem = Problem("", f"secret {source.name}: it {message}")
    return InvalidFile(str(source.file), [problem], hint="name another file, or another source")
