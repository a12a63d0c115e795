"""`ccgpu` on its own machine, with a simulated subscription in memory.

The commands of one `Shell` share subscription, state folder and home.
"""

import contextlib
import io
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from ccgpu.cli.backends import Backend
from ccgpu.cli.main import run
from ccgpu.cli.runtime import BackendName, ConnectionOptions, Runtime
from ccgpu.fakearm import FakeArm
from support.cloud import PUBLIC_KEY, make_backend
from support.first_creates import first_command
from support.output_schemas import check_answer
from support.services import Services


@dataclass(frozen=True)
class CommandResult:
    """The output and exit code of a command line."""

    line: str
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The only JSON document on stdout."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The only error document on stderr, which must be JSON throughout."""
        documents = [json.loads(line) for line in self.err.splitlines()]
        (found,) = [one for one in documents if one["schema"] == "ccgpu.error/1"]
        return found

    @property
    def events(self) -> list[Any]:
        """The documents on stderr."""
        return [json.loads(line) for line in self.err.splitlines()]

    def __str__(self) -> str:
        """Everything a user sees."""
        parts = [f"$ ccgpu {self.line}", f"[exit {self.code}]"]
        parts += [f"[stdout]\n{self.out.rstrip()}"] if self.out else []
        parts += [f"[stderr]\n{self.err.rstrip()}"] if self.err else []
        return "\n".join(parts) + "\n"


def _never_serve(port: int, speed: float) -> Any:
    raise AssertionError(f"serves on port {port}, {speed} times as fast as real time")


def _never_wait(seconds: float) -> None:
    raise AssertionError(f"waits for {seconds} s")


@dataclass
class Shell:
    """One user's machine."""

    folder: Path
    arm: FakeArm = field(default_factory=FakeArm)
    ask: Callable[[str], bool] | None = None
    width: int = 80
    terminal: bool = False
    reached: list[ConnectionOptions] = field(default_factory=list)
    backend: Callable[[ConnectionOptions], Backend] | None = None
    services: Services | None = None  # the vendors' web, where the back end is Azure
    log: Path | None = None  # the file of CCGPU_LOG
    stdin: bytes | None = None  # the input; None: a terminal
    pause: Callable[[float], None] | None = None  # takes the place of waiting
    guarded: list[str] = field(default_factory=list)  # commands after which no core is dumped
    out: io.StringIO = field(default_factory=io.StringIO)  # what the last command has printed

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.folder / "state"

    @property
    def home(self) -> Path:
        """The user's home."""
        return self.folder / "home"

    @property
    def config(self) -> Path:
        """The file of the user's defaults, which does not exist at first."""
        return self.folder / "config" / "config.yaml"

    def with_key(self) -> "Shell":
        """The same user with an SSH key."""
        (self.home / ".ssh").mkdir(parents=True)
        (self.home / ".ssh" / "id_ed25519.pub").write_text(f"{PUBLIC_KEY} me\n")
        return self

    def __call__(self, line: str) -> CommandResult:
        """Run `ccgpu LINE`."""
        self.out = io.StringIO()
        result: CommandResult = first_command(self, line, lambda: self._run(line))
        return result

    def _run(self, line: str) -> CommandResult:
        err = io.StringIO()
        runtime = Runtime(
            out=self._console(self.out, terminal=False),
            err=self._console(err, terminal=self.terminal),
            state=self.state,
            home=self.home,
            backend=self.backend or self.reach,
            simulated=lambda: contextlib.nullcontext(self.arm),
            serve=_never_serve,
            ask=self.ask,
            config=self.config,
            log=self.log,
            stdin=lambda: None if self.stdin is None else io.BytesIO(self.stdin),
            pause=self.pause or _never_wait,
            guard=lambda: self.guarded.append(line),
        )
        argv = shlex.split(line)
        code = run(argv, runtime)
        check_answer(argv, self.out.getvalue(), err.getvalue())
        return CommandResult(line, code, self.out.getvalue(), err.getvalue())

    def _console(self, file: io.StringIO, *, terminal: bool) -> Console:
        return Console(
            file=file,
            width=self.width,
            force_terminal=terminal,
            color_system=None,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
            _environ={},
        )

    def reach(self, connection: ConnectionOptions) -> Backend:
        """The back end of a command with these options."""
        self.reached.append(connection)
        backend = make_backend(self.arm, self.state)
        if self.services is None or connection.backend is BackendName.FAKE:
            return backend
        return self.services.backend(backend)

    def kinds(self) -> list[str]:
        """The types of all resources without the provider, sorted."""
        return sorted(one["kind"].rsplit("/", 1)[-1] for one in self.arm.show()["resources"])

    def writes(self) -> list[str]:
        """The methods of all requests that may change something, in order."""
        methods = [one["method"] for one in self.arm.show()["requests"]]
        return [method for method in methods if method != "GET"]
