"""A user with a VM that is set up, for tests of `ccgpu run`."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from ccgpu.cli.backends import Backend
from ccgpu.cli.runtime import ConnectionOptions
from ccgpu.guest.channel import Channel, GuestTarget
from support.cli import CommandResult, Shell
from support.cloud import make_backend

JOB = "--workload image --image docker.io/library/python:3.12-slim"
SERVER = "--workload sglang --model org/small"


@dataclass
class Runner:
    """A user who runs workloads in the VM `demo`.

    sent: what went over channels: command lines, and paths of copies. before: called with each
    command line, before it is sent.
    """

    shell: Shell
    sent: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self.shell = replace(self.shell, backend=self._backend)

    def __call__(self, words: str) -> CommandResult:
        """`ccgpu run demo WORDS`."""
        options, dashes, command = words.partition(" -- ")
        return self.shell(f"run demo --backend fake {options}{dashes}{command}")

    def document(self, words: str, code: int = 0) -> Any:
        """The document of a run that ends with this exit code."""
        options, dashes, command = words.partition(" -- ")
        done = self(f"{options} -o json{dashes}{command}")
        assert done.code == code, done
        return done.document

    def scenario(self, name: str) -> None:
        """From now on something is wrong in the guests."""
        assert self.shell(f"fake scenario {name}").code == 0

    @property
    def workloads(self) -> dict[str, str]:
        """The states of the workloads in the VM, by name."""
        found = self.shell("ps demo --backend fake -o json").document["workloads"]
        return {one["name"]: one["state"] for one in found}

    def actions(self) -> list[str]:
        """What the workload script was asked for, in order."""
        marks = (line.partition('"action":"')[2].partition('"')[0] for line in self.sent)
        return [mark for mark in marks if mark]

    def _backend(self, _: ConnectionOptions) -> Backend:
        made = make_backend(self.shell.arm, self.shell.state)

        @contextmanager
        def channels(target: GuestTarget) -> Any:
            with made.channels(target) as channel:
                yield _Watched(channel, self)

        return replace(made, channels=channels)


class _Watched:
    """A channel that notes what it is told."""

    def __init__(self, inner: Channel, runner: Runner) -> None:
        self._inner, self._runner = inner, runner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _note(self, line: str) -> None:
        self._runner.before(line)
        self._runner.sent.append(line)

    def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout: float) -> Any:
        self._note(" ".join(argv))
        return self._inner.run(argv, stdin, timeout=timeout)

    def stream(
        self,
        argv: Sequence[str],
        stdin: BinaryIO | None,
        stdout: BinaryIO,
        stderr: BinaryIO,
        *,
        timeout: float | None = None,
    ) -> int:
        self._note(" ".join(argv))
        return self._inner.stream(argv, stdin, stdout, stderr, timeout=timeout)

    def put(self, local: Any, remote: str, *, recursive: bool = False) -> None:
        self._note(f"put {remote}")
        self._inner.put(local, remote, recursive=recursive)

    def get(self, remote: str, local: Any, *, recursive: bool = False) -> None:
        self._note(f"get {remote}")
        self._inner.get(remote, local, recursive=recursive)
