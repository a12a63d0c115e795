"""What a command is handed: where to print, whom to ask, and how to reach Azure.

Made once by `cli.main`; tests make their own. Commands print the answer through `answer`, and
everything said on the way through `note` and `err`, which is silent where a program reads stderr.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ccgpu.azure.context import AzureContext
    from ccgpu.cli.backends import Backend
    from ccgpu.views.progress import Stream


class BackendName(StrEnum):
    """Azure, or the simulated subscription."""

    AZURE = "azure"
    FAKE = "fake"


class OutputFormat(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


class Stderr(StrEnum):
    """What stderr holds: text for people, one JSON document at most, or a stream of them."""

    TEXT = "text"
    JSON = "json"
    EVENTS = "events"


class Query:
    """A JMESPath expression; one that cannot be read is refused before anything is done."""

    def __init__(self, expression: str) -> None:
        import jmespath

        try:
            self._parsed = jmespath.compile(expression)
        except jmespath.exceptions.JMESPathError as err:
            raise typer.BadParameter(f"{expression!r} is not a JMESPath expression: {err}") from err

    def of(self, document: Mapping[str, Any]) -> Any:
        """What the expression finds; functions on the wrong kind of value are a wrong usage too."""
        import jmespath

        try:
            return self._parsed.search(document)
        except jmespath.exceptions.JMESPathError as err:
            raise typer.BadParameter(str(err), param_hint="--query") from err


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How the answer is wanted. A query filters the document, and so asks for JSON."""

    format: OutputFormat = OutputFormat.TEXT
    query: Query | None = None


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """Which subscription is meant, in which cloud, on which back end."""

    backend: BackendName = BackendName.AZURE
    subscription: str | None = None
    cloud: str = "public"


# A resource that was added (id, type, and what a group was made for); what is wrong with one: its
# place in the list, the keys that lead there, and why.
SeedAdded = tuple[str, str, str | None]
SeedFlaw = tuple[int, tuple[str | int, ...], str]
SeedOutcome = tuple[Sequence[SeedAdded], Sequence[SeedFlaw]]


class Simulated(Protocol):
    """The simulated subscription, as far as `ccgpu fake` handles it."""

    def show(self) -> dict[str, Any]:
        """What there is, what it costs, and what was asked."""
        ...

    def reset(self) -> None:
        """Empty it."""
        ...

    def advance(self, seconds: float) -> None:
        """Let its time pass."""
        ...

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Let only these settings be unusual."""
        ...

    def add(self, resources: Sequence[Any]) -> SeedOutcome:
        """Put these resources in, or nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a command is handed."""

    out: "Console"
    err: "Console"
    state: Path
    home: Path
    backend: "Callable[[ConnectionOptions], Backend]"
    simulated: Callable[[], AbstractContextManager[Simulated]]
    ask: "Callable[[str], bool] | None" = None  # None: nobody can be asked
    complete: Callable[[str], str] = str  # the commands in a text, with what they need to be run
    stderr: Stderr = Stderr.TEXT
    progress: "Stream | None" = None  # with `--events`, where everything goes that is told
    lost: Callable[[], str | None] = lambda: None  # why a part of the answer was not written

    def connect(self, connection: ConnectionOptions) -> "AzureContext":
        """Azure, or the simulated one, for the workflows."""
        return self.backend(connection).connect()

    def note(self, text: str) -> None:
        """Tell people something on stderr, or the stream of events."""
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
        """Print the answer on stdout: text for people, or one JSON document, filtered."""
        if output.format is OutputFormat.TEXT and output.query is None:
            from ccgpu.views.trimmed import Trimmed

            self.out.print(Trimmed(text()), crop=False)
            return
        found = document() if output.query is None else output.query.of(document())
        # Past rich: no wrapping and no markup, and no time spent on them where it is long.
        self.out.file.write(json.dumps(found, indent=2) + "\n")
