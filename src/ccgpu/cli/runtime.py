"""The runtime: the context object of every command, with its output, prompt and back end.

`cli.main` makes it once; tests make their own. Commands print their answer with `answer`, and
everything else with `note` or on `err`, which prints nothing if a program reads stderr.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import typer

from ccgpu.cli.failures import error_of
from ccgpu.errors import CcgpuError, UsageProblem

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ccgpu.azure.context import AzureContext
    from ccgpu.cli.backends import Backend
    from ccgpu.store.documents import Document
    from ccgpu.store.user_config import UserConfig
    from ccgpu.views.progress import Stream
    from ccgpu.views.served import ServedAzure


class BackendName(StrEnum):
    """Azure, or the simulated subscription."""

    AZURE = "azure"
    FAKE = "fake"


class OutputFormat(StrEnum):
    """The format of the answer on stdout."""

    TEXT = "text"
    JSON = "json"
    TSV = "tsv"


class Stderr(StrEnum):
    """The format of stderr.

    Text; the text of an error alone; at most one JSON document; or one JSON document per line.
    """

    TEXT = "text"
    QUIET = "quiet"
    JSON = "json"
    EVENTS = "events"

    @property
    def is_json(self) -> bool:
        """Whether a program reads it."""
        return self in (Stderr.JSON, Stderr.EVENTS)


class Query:
    """A JMESPath expression. An invalid one is a usage error before the command runs."""

    def __init__(self, expression: str) -> None:
        import jmespath

        try:
            self._parsed = jmespath.compile(expression)
        except jmespath.exceptions.JMESPathError as err:
            raise typer.BadParameter(f"{expression!r} is not a JMESPath expression: {err}") from err

    def of(self, document: Mapping[str, Any]) -> Any:
        """The result of the expression; a type error in it is a usage error, too."""
        import jmespath

        try:
            return self._parsed.search(document)
        except jmespath.exceptions.JMESPathError as err:
            raise typer.BadParameter(str(err), param_hint="--query") from err


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Format and filter of the answer. A query implies JSON, or tab-separated values.

    quiet: whether stderr has nothing but errors; `cli.reporter` sees to that.
    """

    format: OutputFormat = OutputFormat.TEXT
    query: Query | None = None
    quiet: bool = field(default=False, compare=False)

    @property
    def is_text(self) -> bool:
        """Whether the answer is the text for people."""
        return self.format is OutputFormat.TEXT and self.query is None

    def require_text(self, what: str) -> None:
        """Refuse JSON and queries, because the answer is `what`, and no document."""
        if not self.is_text:
            raise UsageProblem(f"the answer is {what}, not JSON", hint="leave out -o and --query")

    def rendered(self, document: Mapping[str, Any], *, indent: int | None = 2) -> str:
        """The document for a script, filtered, with line ends. indent: of JSON; None for a line."""
        from ccgpu.views import query_result

        value = document if self.query is None else self.query.of(document)
        if self.format is OutputFormat.TSV:
            return query_result.as_tsv(value)
        bare = self.format is OutputFormat.TEXT
        return query_result.as_json(value, bare=bare, indent=indent) + "\n"


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """The options that select back end, subscription and cloud. debug: show each request."""

    backend: BackendName = BackendName.AZURE
    subscription: str | None = None
    cloud: str = "public"
    debug: bool = False


# SeedAdded: id, type, and, for a resource group made automatically, the id that needed it.
# SeedFlaw: a resource's index in the list, the path of the invalid value in it, and the message.
SeedAdded = tuple[str, str, str | None]
SeedFlaw = tuple[int, tuple[str | int, ...], str]
SeedOutcome = tuple[Sequence[SeedAdded], Sequence[SeedFlaw]]


class Simulated(Protocol):
    """The operations of `ccgpu fake` on the simulated subscription."""

    def show(self) -> dict[str, Any]:
        """The resources, their cost, and the requests so far."""
        ...

    def reset(self) -> None:
        """Delete all resources."""
        ...

    def advance(self, seconds: float) -> None:
        """Advance the virtual time."""
        ...

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Apply these settings, and reset all others to their defaults."""
        ...

    def add(self, resources: Sequence[Any]) -> SeedOutcome:
        """Add these resources; if one is invalid, add none."""
        ...


# From a port (0: a free one) and a speed of time to the server, which ends with the context, and
# the function that lets virtual time catch up with real time.
Serve = Callable[[int, float], AbstractContextManager[tuple["ServedAzure", Callable[[], None]]]]


def _pause(seconds: float) -> None:
    from ccgpu.scheduling.clock import RealClock

    RealClock().sleep(seconds)


@dataclass(frozen=True, slots=True)
class Runtime:
    """The context object of every command."""

    out: "Console"
    err: "Console"
    state: Path
    home: Path
    backend: "Callable[[ConnectionOptions], Backend]"
    simulated: Callable[[], AbstractContextManager[Simulated]]
    serve: Serve
    ask: "Callable[[str], bool] | None" = None  # asks yes or no; None: no terminal
    ask_secret: Callable[[str], str] | None = None  # asks without an echo; None: no terminal
    complete: Callable[[str], str] = str  # completes the commands in a text
    stderr: Stderr = Stderr.TEXT
    progress: "Stream | None" = None  # the stream of `--events`
    lost: Callable[[], str | None] = lambda: None  # why writing the answer failed
    config: Path | None = None  # the file of the user's defaults
    log: Path | None = None  # the file that each HTTP request is written to
    stdin: Callable[[], BinaryIO | None] = lambda: None  # the input, unless it is a terminal
    pause: Callable[[float], None] = _pause  # waits, in real time, for nothing but Ctrl-C
    go_on: Callable[[], None] = lambda: None  # after an interrupt: the next one interrupts again
    guard: Callable[[], None] = lambda: None  # before a secret or key is read: no core dumps
    failed: list[CcgpuError] = field(default_factory=list)  # what `attempt` has failed with

    def connect(self, connection: ConnectionOptions) -> "AzureContext":
        """Open Azure, or the simulated subscription, for the workflows."""
        return self.backend(connection).connect()

    def read_document(self, path: Path) -> "Document":
        """The YAML or JSON file; for `-`, standard input."""
        from ccgpu.store import documents

        return documents.read(path)

    def user_config(self) -> "UserConfig":
        """The user's defaults; `InvalidFile` if their file is not valid."""
        from ccgpu.store import user_config

        return user_config.read(self.config)

    def note(self, text: str) -> None:
        """Print a note on stderr, or write it to the stream of events."""
        if self.progress is not None:
            self.progress.note(text)
        else:
            from ccgpu.domain import plain_text

            self.err.out(plain_text.lines(text), highlight=False)

    def answer(
        self,
        output: OutputOptions,
        text: "Callable[[], RenderableType]",
        document: Callable[[], Mapping[str, Any]],
    ) -> None:
        """Print the answer on stdout: text for people, or one document for scripts, filtered.

        What fails, such as a query that does not fit, is told at the end, as `attempt` says.
        """
        self.attempt(lambda: self._print(output, text, document))

    def attempt(self, step: Callable[[], object]) -> None:
        """Take a step whose failure, a bug too, must not hide how the command ends.

        The command goes on: to a verdict, or to what could not be deleted. That is its error then,
        with the failure in its message; without one, the failure is.
        """
        try:
            step()
        except Exception as err:  # noqa: BLE001  # whatever it is
            self.failed.append(error_of(err))

    def _print(
        self,
        output: OutputOptions,
        text: "Callable[[], RenderableType]",
        document: Callable[[], Mapping[str, Any]],
    ) -> None:
        if output.is_text:
            from ccgpu.views.trimmed import Trimmed

            self.out.print(Trimmed(text()), crop=False)
            return
        # Written without rich, which would spend time on wrapping a long document.
        self.out.file.write(output.rendered(document()))
