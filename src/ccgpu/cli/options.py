"""The options that several commands share, each declared once."""

import inspect
from copy import copy
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ccgpu.cli.azure_names import check_group, check_name, check_names, check_subscription
from ccgpu.cli.durations import seconds
from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.runtime import (
    BackendName,
    ConnectionOptions,
    OutputFormat,
    OutputOptions,
    Query,
    Stderr,
)
from ccgpu.domain.spec.flags import AZURE, RESOURCE_GROUP
from ccgpu.domain.time_limits import (
    ATTEST,
    CREATE,
    DELETE,
    DOCTOR,
    DOCTOR_ALONE,
    EXTEND,
    GC,
    GUEST,
    KEY_VAULT,
    POWER,
    PUBLISH,
    REPORT,
    RUN,
    SECRETS,
    UNDO,
)
from ccgpu.scheduling.durations import as_option, in_words

if TYPE_CHECKING:
    from ccgpu.cli.runtime import Runtime
    from ccgpu.views.progress import Progress

_OUTPUT_PANEL = "Output"


class AzureCloud(StrEnum):
    """Azure's clouds."""

    PUBLIC = "public"
    USGOV = "usgov"
    CHINA = "china"


class Events(StrEnum):
    """The formats of `--events`."""

    NDJSON = "ndjson"


def option(help_: str, *names: str, panel: str | None = None, **more: Any) -> Any:
    """An option whose default is not shown in the help text."""
    return typer.Option(*names, help=help_, show_default=False, rich_help_panel=panel, **more)


GroupOption = Annotated[
    str | None,
    option(
        RESOURCE_GROUP.help or "",
        *RESOURCE_GROUP.names,
        panel=RESOURCE_GROUP.panel,
        metavar=RESOURCE_GROUP.metavar,
        callback=check_group,
    ),
]
FileOption = Annotated[
    Path | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help="Spec file, YAML or JSON; - for stdin.",
        show_default=False,
    ),
]


def _output_options(
    output: Annotated[
        OutputFormat,
        typer.Option("--output", "-o", help="Output format.", rich_help_panel=_OUTPUT_PANEL),
    ] = OutputFormat.TEXT,
    query: Annotated[
        Query | None,
        typer.Option(
            "--query",
            parser=Query,
            metavar="EXPR",
            help="Filter the document (JMESPath). A single text has quotes only with -o json.",
            show_default=False,
            rich_help_panel=_OUTPUT_PANEL,
        ),
    ] = None,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            help="Print no progress, notes and hints; never prompt.",
            rich_help_panel=_OUTPUT_PANEL,
        ),
    ] = False,
) -> OutputOptions:
    return OutputOptions(output, query, quiet)


def _debug_option(*names: str) -> Any:
    return typer.Option(
        *names,
        help="Show each HTTP request on stderr: method, path, status, time, correlation id.",
        rich_help_panel=_OUTPUT_PANEL,
    )


DebugOption = Annotated[bool, _debug_option("--debug", "-v")]


def _connection_options(
    backend: Annotated[
        BackendName,
        typer.Option(
            envvar="CCGPU_BACKEND",
            help="Azure, or a simulated subscription (fake).",
            rich_help_panel=AZURE,
        ),
    ] = BackendName.AZURE,
    subscription: Annotated[
        str | None,
        typer.Option(
            envvar="AZURE_SUBSCRIPTION_ID",
            callback=check_subscription,
            metavar="ID",
            help="Subscription id. Default: the default subscription of `az`.",
            show_default=False,
            rich_help_panel=AZURE,
        ),
    ] = None,
    cloud: Annotated[
        AzureCloud, typer.Option("--cloud", help="Azure cloud.", rich_help_panel=AZURE)
    ] = AzureCloud.PUBLIC,
    debug: DebugOption = False,
) -> ConnectionOptions:
    return ConnectionOptions(backend, subscription, cloud.value, debug)


def _without_short_debug() -> Any:
    """`_connection_options` for a command whose `-v` lists every check."""

    def collect(**given: Any) -> ConnectionOptions:
        return _connection_options(**given)

    *others, debug = inspect.signature(_connection_options).parameters.values()
    long_only = debug.replace(annotation=Annotated[bool, _debug_option("--debug")])
    collect.__signature__ = inspect.Signature([*others, long_only])  # type: ignore[attr-defined]
    return collect


@dataclass(frozen=True, slots=True)
class Target:
    """The deployment to act on. Without a group, its tags are searched in the subscription."""

    name: str
    group: str | None


def _name_argument() -> Any:
    return typer.Argument(
        callback=check_name,
        metavar="NAME",
        help="Deployment name.",
        show_default=False,
    )


UncheckedName = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Deployment name.", show_default=False)
]
OptionalName = Annotated[str | None, _name_argument()]


def _target(
    name: Annotated[str, _name_argument()],
    resource_group: GroupOption = None,
) -> Target:
    return Target(name, resource_group)


@dataclass(frozen=True, slots=True)
class Targets:
    """The names of deployments, and the group of all of them, if given."""

    names: tuple[str, ...]
    group: str | None

    @property
    def single(self) -> bool:
        """Whether one name was given."""
        return len(self.names) == 1


def _targets(
    names: Annotated[
        list[str],
        typer.Argument(
            callback=check_names,
            metavar="NAME...",
            help="Deployment names.",
            show_default=False,
        ),
    ],
    resource_group: GroupOption = None,
) -> Targets:
    return Targets(tuple(dict.fromkeys(names)), resource_group)


@dataclass(frozen=True, slots=True)
class ProgressOptions:
    """Time limit, and stream of events."""

    timeout: float | None
    events: Events | None  # `cli.reporter` writes them

    def shown(self, runtime: "Runtime", *, quiet: bool = False) -> "Progress":
        """The listener that shows events on stderr; a context that ends the display.

        quiet: show none but to programs that ask for them (`--events`).
        """
        from ccgpu.views import progress

        if runtime.progress is not None:
            return runtime.progress
        return (
            progress.Silent()
            if quiet or runtime.stderr is not Stderr.TEXT
            else progress.progress_for(runtime.err)
        )

    def hint(self, runtime: "Runtime", text: str) -> None:
        """Print the next step on stderr, unless a program reads stderr."""
        runtime.err.out(f"hint: {runtime.complete(text)}", highlight=False)


_TIME_LIMIT = "Time limit, such as 90m or 2h"


def _progress_options(
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            parser=seconds,
            metavar="DURATION",
            help=f"{_TIME_LIMIT}.",
            show_default=False,
        ),
    ] = None,
    events: Annotated[
        Events | None,
        typer.Option(
            "--events",
            help="Stream progress to stderr, one JSON document per line.",
            show_default=False,
            rich_help_panel=_OUTPUT_PANEL,
        ),
    ] = None,
) -> ProgressOptions:
    return ProgressOptions(timeout, events)


def _limited(default: str, then: str | None = None) -> OptionGroup:
    """`_progress_options` for a command with this time limit, which does `then` after it."""

    def collect(**given: Any) -> ProgressOptions:
        return _progress_options(**given)

    timeout, *others = inspect.signature(_progress_options).parameters.values()
    shown = copy(timeout.annotation.__metadata__[0])
    shown.help = f"{'; '.join(filter(None, [_TIME_LIMIT, then]))}. Default: {default}."
    named = timeout.replace(annotation=Annotated[float | None, shown])
    collect.__signature__ = inspect.Signature([named, *others])  # type: ignore[attr-defined]
    return OptionGroup(collect)


OutputArguments = Annotated[OutputOptions, OptionGroup(_output_options)]
ConnectionArguments = Annotated[ConnectionOptions, OptionGroup(_connection_options)]
LongConnectionArguments = Annotated[ConnectionOptions, OptionGroup(_without_short_debug())]
TargetArguments = Annotated[Target, OptionGroup(_target)]
TargetsArguments = Annotated[Targets, OptionGroup(_targets)]
_NAMING = f"naming what is left takes {in_words(REPORT)} more at most"
_SHOWING = f"showing the deployment then takes {in_words(REPORT)} at most"
_UNDOING = f"undoing a failed create has {in_words(UNDO)} of its own"
_CREATE = f"{as_option(CREATE)}; with --run {as_option(RUN)}"
_DOCTOR = f"{as_option(DOCTOR)}; without NAME {as_option(DOCTOR_ALONE)}"
_RUN = f"{as_option(RUN)} until it runs; then none for a job"
AttestProgress = Annotated[ProgressOptions, _limited(as_option(ATTEST))]
CreateProgress = Annotated[ProgressOptions, _limited(_CREATE, _UNDOING)]
DeleteProgress = Annotated[ProgressOptions, _limited(as_option(DELETE), _NAMING)]
DoctorProgress = Annotated[ProgressOptions, _limited(_DOCTOR)]
ExtendProgress = Annotated[ProgressOptions, _limited(as_option(EXTEND), _NAMING)]
GcProgress = Annotated[ProgressOptions, _limited(as_option(GC), _NAMING)]
GuestProgress = Annotated[ProgressOptions, _limited(as_option(GUEST))]
KeyVaultProgress = Annotated[ProgressOptions, _limited(as_option(KEY_VAULT))]
PowerProgress = Annotated[ProgressOptions, _limited(as_option(POWER), _SHOWING)]
PublishProgress = Annotated[ProgressOptions, _limited(as_option(PUBLISH))]
RunProgress = Annotated[ProgressOptions, _limited(_RUN)]
SecretsProgress = Annotated[ProgressOptions, _limited(as_option(SECRETS))]
