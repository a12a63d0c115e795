"""Runs OpenSSH's programs: with a small environment, and never longer than they may.

ccgpu's own environment may hold credentials, so children get the few variables that ssh uses.
"""

import _thread
import io
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from ccgpu.errors import GuestUnreachable

# ssh(1) "ENVIRONMENT"; the agent's socket; the terminal; where ssh and its helpers are found. SHELL
# is absent on purpose: ssh would run the command to a jump host with it.
_VARIABLES = ("PATH", "HOME", "USER", "LOGNAME", "TERM", "TMPDIR", "SSH_AUTH_SOCK")
# Seconds that a program gets to end after SIGTERM. A session of a shared connection waits for the
# end of its command, so it is not worth more; one with a terminal gets time to restore that.
_STOPPING = 0.3
PATIENT = 3.0
_KILLED = 1.0  # seconds until the end is known of a program that was killed
_LOOK_AGAIN = 0.1  # seconds
_CHUNK = 64 * 1024
# Bytes of a command's output that are kept in memory; an answer of the probe has at most half.
MAX_OUTPUT = 32 * 1024 * 1024


def program(name: str) -> str:
    """The path of one of OpenSSH's programs; raises `GuestUnreachable` if it is not installed."""
    path = shutil.which(name)
    if path is None:
        raise GuestUnreachable(
            f"`{name}` is not installed on this machine: ccgpu reaches VMs with OpenSSH",
            hint="install OpenSSH's client: the package openssh-client (Debian, Ubuntu), "
            "openssh-clients (Fedora) or openssh (others)",
        )
    return path


def environment() -> dict[str, str]:
    """The environment of every child. Messages are in English: they are read by this program."""
    kept = {name: value for name in _VARIABLES if (value := os.environ.get(name)) is not None}
    return {**kept, "LC_ALL": "C"}


@contextmanager
def running(
    argv: Sequence[str], patience: float = _STOPPING, **streams: Any
) -> "Iterator[subprocess.Popen[bytes]]":
    """A program that runs during the context; then it is ended if it has not ended by itself.

    patience: seconds between SIGTERM and SIGKILL. streams: further arguments of `Popen`; without
    `env`, it gets `environment()`.
    An argument that is not UTF-8 (`surrogateescape`) reaches the program as its bytes.
    """
    start = _Start(argv, streams)
    try:
        yield start.program()
    finally:
        if (process := start.taken_back()) is not None:
            _stop(process, patience)


class _Start:
    """The start of a program, in a thread of its own.

    A signal raises an exception in the main thread, after any call. There it could come when the
    program was started and nothing referred to it yet, so that nobody would end the program. For
    the same reason nothing here holds a lock that must be released again (as `Thread.start` does).
    """

    def __init__(self, argv: Sequence[str], streams: Mapping[str, Any]) -> None:
        self._words, self._streams = [os.fsencode(word) for word in argv], streams
        self._permits = [True]  # who takes it decides whether the program is started
        self._answers: list[subprocess.Popen[bytes] | Exception] = []
        self._bell = threading.Lock()
        self._bell.acquire()

    def program(self) -> "subprocess.Popen[bytes]":
        """Start the program; raises `OSError` as `Popen` does."""
        _thread.start_new_thread(self._start, ())
        answer = self._await()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def taken_back(self) -> "subprocess.Popen[bytes] | None":
        """The program, if it was started; if not, it never will be."""
        if self._permits:
            with suppress(IndexError):  # it has just begun to start
                self._permits.pop()
                return None
        answer = self._await()
        return None if isinstance(answer, Exception) else answer

    def _start(self) -> None:
        try:
            self._permits.pop()
        except IndexError:
            return
        try:
            given = {"env": environment(), **self._streams}
            process = subprocess.Popen(self._words, **given)  # noqa: S603
            self._answers.append(process)
        except Exception as err:  # noqa: BLE001  # raised by `program`
            self._answers.append(err)
        self._bell.release()

    def _await(self) -> "subprocess.Popen[bytes] | Exception":
        while not self._answers:
            self._bell.acquire(timeout=_LOOK_AGAIN)
        return self._answers[0]


def _stop(process: "subprocess.Popen[bytes]", patience: float) -> None:
    """End the program, and close what is left of its pipes.

    A signal in `Popen.wait` can leave the lock in there taken, which no wait without a time limit
    would survive. What was killed ends without being waited for.
    """
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_KILLED)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):  # what is left cannot be written any more
                stream.close()


def descriptor(stream: BinaryIO | None) -> int | None:
    """What a child may inherit for the stream; None if it has no descriptor, so must be pumped."""
    if stream is None:
        return subprocess.DEVNULL
    try:
        return stream.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return None


class Pumps:
    """Threads that copy between a child's pipes and streams without a descriptor.

    They own the pipes. One end of each is held by the shared connection, too, as long as the
    command in the VM runs: after a time-out nobody waits for that.
    """

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        stdin: BinaryIO | None,
        stdout: BinaryIO,
        stderr: BinaryIO,
    ) -> None:
        self._readers = [
            _copying(source, target, source)
            for source, target in ((process.stdout, stdout), (process.stderr, stderr))
            if source is not None
        ]
        if process.stdin is not None:
            _copying(stdin, process.stdin, process.stdin)
        process.stdin = process.stdout = process.stderr = None

    def finish(self, timeout: float | None = None) -> bool:
        """Wait until all of the child's output has been copied, each stream for so many seconds."""
        for thread in self._readers:
            thread.join(timeout)
        return not any(thread.is_alive() for thread in self._readers)


class BoundedOutput(io.BytesIO):
    """What a program prints; one that prints more than `MAX_OUTPUT` is ended."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        super().__init__()
        self._process = process
        self.failed = False

    def write(self, data: Any) -> int:
        """Keep the data, if there is room for it."""
        if self.tell() + len(data) > MAX_OUTPUT:
            self.failed = True
            self._process.terminate()
            return len(data)
        return super().write(data)


def _copying(source: Any, target: Any, pipe: Any) -> threading.Thread:
    thread = threading.Thread(target=_copy, args=(source, target, pipe), daemon=True)
    thread.start()
    return thread


def _copy(source: Any, target: Any, pipe: Any) -> None:
    """Copy to the end; then close the pipe, whatever happens: the program waits for it."""
    read = getattr(source, "read1", source.read)
    try:
        with suppress(OSError, ValueError):  # the other side has ended
            while not getattr(target, "failed", False) and (data := read(_CHUNK)):
                target.write(data)
            target.flush()
    finally:
        with suppress(OSError):
            pipe.close()


def read_log(path: Path) -> str:
    """The messages that ssh has written to the file, or an empty text."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
