"""The options that several commands share; each is declared once, here."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.runtime import Backend, Output

_AZURE = "Azure"


class AzureCloud(StrEnum):
    """Azure's clouds."""

    PUBLIC = "public"
    USGOV = "usgov"
    CHINA = "china"


class Events(StrEnum):
    """How events are streamed."""

    NDJSON = "ndjson"


Name = Annotated[str, typer.Argument(help="The deployment's name.", show_default=False)]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to write the answer.")]
QueryOption = Annotated[
    str | None,
    typer.Option("--query", help="Filter the JSON document (JMESPath).", show_default=False),
]
EventsOption = Annotated[
    Events | None,
    typer.Option(
        "--events", help="Stream events on stderr, one JSON document a line.", show_default=False
    ),
]
BackendOption = Annotated[
    Backend,
    typer.Option(
        envvar="CCGPU_BACKEND",
        help="Azure, or the simulated subscription.",
        rich_help_panel=_AZURE,
    ),
]
SubscriptionOption = Annotated[
    str | None,
    typer.Option(
        envvar="AZURE_SUBSCRIPTION_ID",
        help="The subscription's id. Without it, the default of the `az` profile.",
        show_default=False,
        rich_help_panel=_AZURE,
    ),
]
CloudOption = Annotated[
    AzureCloud, typer.Option("--cloud", help="Which of Azure's clouds.", rich_help_panel=_AZURE)
]
GroupOption = Annotated[
    str | None,
    typer.Option(
        "--resource-group",
        "-g",
        help="The resource group. Without it, one of the deployment's own, or where it is found.",
        show_default=False,
        rich_help_panel=_AZURE,
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NoInputOption = Annotated[
    bool, typer.Option("--no-input", help="Never prompt; what needs an answer fails instead.")
]
TimeoutOption = Annotated[
    str | None,
    typer.Option("--timeout", help="How long it may take, such as 90m.", show_default=False),
]
FileOption = Annotated[
    Path | None,
    typer.Option("--file", "-f", help="The spec, as YAML or JSON.", show_default=False),
]
