"""What a command is handed: where to print, whom to ask, and how to reach Azure.

Made once by `cli.main`; tests make their own. Commands print the answer through `answer`, and
everything said on the way through `err`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ccgpu.workflows.cloud import Cloud


class Backend(StrEnum):
    """Azure, or the simulated subscription."""

    AZURE = "azure"
    FAKE = "fake"


class Output(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Reach:
    """Which subscription is meant, in which cloud, on which back end."""

    backend: Backend = Backend.AZURE
    subscription: str | None = None
    cloud: str = "public"


@dataclass(frozen=True, slots=True)
class Runtime:
    """The outside of a command."""

    out: "Console"
    err: "Console"
    state: Path
    home: Path
    connect: "Callable[[Reach], Cloud]"
    ask: "Callable[[str], bool] | None" = None  # None: nobody can be asked

    def answer(
        self,
        output: Output,
        query: str | None,
        text: "Callable[[], RenderableType]",
        document: Callable[[], Mapping[str, Any]],
    ) -> None:
        """Print the answer on stdout: text for people, or one JSON document, filtered."""
        if output is Output.TEXT and query is None:
            self.out.print(text())
            return
        found: Any = document()
        if query is not None:
            import jmespath

            found = jmespath.search(query, found)
        # Written past rich: no wrapping, no markup, whatever the width of the terminal.
        self.out.file.write(json.dumps(found, indent=2) + "\n")
