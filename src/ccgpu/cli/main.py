"""The composition root: the command line, the back ends, and the only place that prints an error.

`--help` must stay light: commands import what they need when they run.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ccgpu import __version__
from ccgpu.cli import failures, process, streams
from ccgpu.cli.arguments import stderr_wanted
from ccgpu.cli.commands import Commands
from ccgpu.cli.console import confirm, console
from ccgpu.cli.hints import Hints
from ccgpu.cli.reporter import Reporter
from ccgpu.cli.runtime import Backend, Reach, Runtime
from ccgpu.errors import AnswerLost, CcgpuError, Interrupted, StateUnusable, UsageProblem

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ccgpu.azure.context import AzureContext
    from ccgpu.azure.session import Session
    from ccgpu.cli.runtime import SeedOutcome
    from ccgpu.scheduling.clock import Clock
    from ccgpu.workflows.collateral import Fetching

    Parts = tuple[Session, Clock, Executor, Path]

_NAME = "ccgpu"
_COMPLETION = "_CCGPU_COMPLETE"  # set by the scripts of `--install-completion`
app = typer.Typer(
    cls=Commands,
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(ctx: typer.Context, wanted: bool) -> None:
    if wanted:
        ctx.obj.out.out(f"{_NAME} {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Create, verify and delete confidential GPU virtual machines on Azure."""
    if ctx.invoked_subcommand is None:
        ctx.obj.err.out(ctx.get_help(), highlight=False)
        raise typer.Exit(UsageProblem.exit_code)


def main(outside: Callable[[], Runtime] | None = None) -> None:
    """The entry point; `outside` is made once the process has its streams."""
    process.begin()
    if _COMPLETION in os.environ:  # a shell asks what could come next
        app(prog_name=_NAME)
    make = outside or runtime
    try:
        code = run(sys.argv[1:], make())
    except KeyboardInterrupt:  # before anything could be done
        code = run(sys.argv[1:], make(), interrupted=True)
    process.abandon(code)
    sys.exit(code)


def run(argv: Sequence[str], outside: Runtime, *, interrupted: bool = False) -> int:
    """Run `ccgpu argv` and return its exit code. Only this function prints errors.

    `interrupted`: a signal came before it was called; that is all there is to say.
    """
    command = typer.main.get_command(app)
    hints = Hints(argv)
    outside = replace(outside, complete=hints.complete_hint)
    reporter = Reporter(outside, stderr_wanted(command, argv))
    err: CcgpuError | None = Interrupted("interrupted")
    code = Interrupted.exit_code
    if not interrupted:
        err, code = _attempt(command, argv, reporter.runtime)
    lost = outside.lost()
    if lost is not None and err is None:
        err = AnswerLost(f"cannot write the answer to stdout: {lost}")
        code = code or err.exit_code
    if err is not None:
        hints.complete_error(err)
    return reporter.end(err, code)


def _attempt(command: Any, argv: Sequence[str], outside: Runtime) -> tuple[CcgpuError | None, int]:
    """Run the command; the error it ended with, if any, and the exit code."""
    try:
        with command.make_context(_NAME, [*argv], obj=outside) as context:
            command.invoke(context)
    except typer.Exit as end:
        return None, end.exit_code
    except SystemExit as end:  # `--install-completion` and `--show-completion` end so
        return None, end.code if isinstance(end.code, int) else 0
    except (Exception, KeyboardInterrupt) as err:  # noqa: BLE001  # a bug is told in form, too
        told = failures.of(err)
        return told, told.exit_code
    return None, 0


def runtime() -> Runtime:
    """The process's own outside: its streams, its terminal, its user's folders."""
    from ccgpu.store import folders

    people = sys.stdin.isatty() and sys.stderr.isatty() and not os.environ.get("CI")
    state = folders.state()
    err = console(sys.stderr)
    return Runtime(
        out=console(sys.stdout),
        err=err,
        state=state,
        home=Path.home(),
        connect=lambda reach: connect(reach, state, os.environ),
        simulated=lambda: closing(Simulation(fake_state(state, os.environ))),
        fetching=_fetching,
        ask=partial(confirm, err, sys.stdin) if people else None,
        lost=partial(streams.lost, sys.stdout),
    )


def _fetching() -> "AbstractContextManager[Fetching]":
    from ccgpu.store import folders
    from ccgpu.workflows.collateral import online

    process.no_foreign_logs()
    return online(folders.cache() / "collateral")


def connect(reach: Reach, state: Path, environ: Mapping[str, str]) -> "AzureContext":
    """The subscription that is meant, on the back end that is meant."""
    from ccgpu.azure.arm import Arm
    from ccgpu.azure.context import AzureContext
    from ccgpu.azure.queries import Queries
    from ccgpu.scheduling.scheduler import Scheduler
    from ccgpu.store.journals import Journals

    process.no_foreign_logs()
    fake = reach.backend is Backend.FAKE
    session, clock, pool, journals = (_fake if fake else _azure)(reach, state, environ)
    arm = Arm(session)
    schedule = Scheduler(clock, pool)
    return AzureContext(session, arm, Queries(arm), schedule, Journals(journals), simulated=fake)


def fake_state(state: Path, environ: Mapping[str, str]) -> Path:
    """The file that the simulated subscription is kept in."""
    return Path(environ.get("CCGPU_FAKE_STATE") or state / "fake.sqlite")


class Simulation:
    """A simulated subscription in a file, and beside it the journals of what was done there.

    They are kept apart from Azure's, and from those of other files: each of them is a world.
    """

    def __init__(self, path: Path) -> None:
        import sqlite3

        from ccgpu.fakearm import FakeArm

        self.journals = path.with_name(f"{path.name}.journals")
        try:
            self.arm = FakeArm(path)
        except (ValueError, OSError, sqlite3.Error) as err:
            hint = "set CCGPU_FAKE_STATE to keep the simulated subscription in another file"
            raise StateUnusable(f"{path}: {err}", hint=hint) from err

    def show(self) -> dict[str, Any]:
        """What there is."""
        return self.arm.show()

    def reset(self) -> None:
        """Empty it, and forget what was done."""
        import shutil

        self.arm.reset()
        shutil.rmtree(self.journals, ignore_errors=True)

    def advance(self, seconds: float) -> None:
        """Let its time pass."""
        self.arm.advance(seconds)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Let only these settings be unusual."""
        self.arm.configure(settings)

    def add(self, resources: Sequence[Any]) -> "SeedOutcome":
        """Put these resources in, or nothing."""
        return self.arm.add(resources)

    def close(self) -> None:
        """Let go of the file."""
        self.arm.close()


def _fake(reach: Reach, state: Path, environ: Mapping[str, str]) -> "Parts":
    from ccgpu.azure.session import ENVIRONMENTS, Session
    from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeCredential, FakeTransport
    from ccgpu.scheduling.scheduler import InlineExecutor

    world = Simulation(fake_state(state, environ))
    credential, transport = FakeCredential(world.arm), FakeTransport(world.arm)
    session = Session(FAKE_SUBSCRIPTION, ENVIRONMENTS[reach.cloud], credential, transport)
    return session, world.arm.clock, InlineExecutor(), world.journals


def _azure(reach: Reach, state: Path, environ: Mapping[str, str]) -> "Parts":
    from concurrent.futures import ThreadPoolExecutor

    from ccgpu.azure.credentials import default_credential
    from ccgpu.azure.session import ENVIRONMENTS, Session
    from ccgpu.scheduling.clock import RealClock
    from ccgpu.store.az_profile import default_subscription

    cloud = ENVIRONMENTS[reach.cloud]
    subscription = reach.subscription or default_subscription(environ)
    if subscription is None:
        raise UsageProblem(
            "no subscription is selected",
            hint="give `--subscription ID`, set AZURE_SUBSCRIPTION_ID, or run `az account set`",
        )
    session = Session(subscription, cloud, default_credential(cloud.authority, subscription))
    return session, RealClock(), ThreadPoolExecutor(max_workers=8), state / "journals"
