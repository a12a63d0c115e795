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

from ccgpu.azure.context import AzureContext
from ccgpu.cli.main import run
from ccgpu.cli.runtime import Reach, Runtime
from ccgpu.fakearm import FakeArm
from support.cloud import PUBLIC_KEY, make_cloud
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


@dataclass
class Shell:
    """One user's machine."""

    folder: Path
    arm: FakeArm = field(default_factory=FakeArm)
    ask: Callable[[str], bool] | None = None
    width: int = 80
    terminal: bool = False
    reached: list[Reach] = field(default_factory=list)
    connect: Callable[[Reach], AzureContext] | None = None
    services: Services = field(default_factory=Services)

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.folder / "state"

    @property
    def home(self) -> Path:
        """The user's home."""
        return self.folder / "home"

    def with_key(self) -> "Shell":
        """The same user with an SSH key."""
        (self.home / ".ssh").mkdir(parents=True)
        (self.home / ".ssh" / "id_ed25519.pub").write_text(f"{PUBLIC_KEY} me\n")
        return self

    def __call__(self, line: str) -> CommandResult:
        """Run `ccgpu LINE`."""
        out, err = io.StringIO(), io.StringIO()
        outside = Runtime(
            out=self._console(out, terminal=False),
            err=self._console(err, terminal=self.terminal),
            state=self.state,
            home=self.home,
            connect=self.connect or self._connect,
            simulated=lambda: contextlib.nullcontext(self.arm),
            fetching=self.services.fetching,
            ask=self.ask,
        )
        code = run(shlex.split(line), outside)
        return CommandResult(line, code, out.getvalue(), err.getvalue())

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

    def _connect(self, reach: Reach) -> AzureContext:
        self.reached.append(reach)
        return make_cloud(self.arm, self.state)

    def kinds(self) -> list[str]:
        """The types of all resources without the provider, sorted."""
        return sorted(one["kind"].rsplit("/", 1)[-1] for one in self.arm.show()["resources"])

    def writes(self) -> list[str]:
        """The methods of all requests that may change something, in order."""
        methods = [one["method"] for one in self.arm.show()["requests"]]
        return [method for method in methods if method != "GET"]
