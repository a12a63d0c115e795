"""The composition root: runs one command line and prints the error it ends with.

Commands import their modules when they run, so that `--help` stays fast.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ccgpu import __version__
from ccgpu.cli import failures, process, request_lines, streams
from ccgpu.cli.arguments import stderr_wanted
from ccgpu.cli.commands import Commands
from ccgpu.cli.config_defaults import CommandDefaults
from ccgpu.cli.console import ask_secret, confirm, console
from ccgpu.cli.hints import Hints
from ccgpu.cli.reporter import Reporter
from ccgpu.cli.runtime import (
    ConnectionOptions,
    OutputFormat,
    OutputOptions,
    Query,
    Runtime,
)
from ccgpu.errors import AnswerLost, CcgpuError, Interrupted, UsageProblem
from ccgpu.store.input_files import standard_input

if TYPE_CHECKING:
    from ccgpu.cli.backends import Backend
    from ccgpu.cli.simulated_state import Simulation
    from ccgpu.views.served import ServedAzure

_NAME = "ccgpu"
app = typer.Typer(
    cls=Commands,
    add_completion=False,
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def root(
    ctx: typer.Context,
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            help="Print the version; with -o json, also commit, Python and SDK versions.",
        ),
    ] = False,
    output: Annotated[
        OutputFormat | None,
        typer.Option("--output", "-o", help="Output format of --version.", show_default=False),
    ] = None,
    query: Annotated[
        Query | None,
        typer.Option(
            "--query",
            parser=Query,
            metavar="EXPR",
            help="Filter the document of --version (JMESPath).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Create, verify and delete confidential GPU virtual machines on Azure."""
    if version:
        _print_version(ctx.obj, OutputOptions(output or OutputFormat.TEXT, query))
        raise typer.Exit
    if output is not None or query is not None:
        raise UsageProblem(
            "-o and --query stand after the command that they are for",
            hint=f"`{' '.join([_NAME, *filter(None, [ctx.invoked_subcommand])])} --help`",
        )
    if ctx.invoked_subcommand is None:
        ctx.obj.err.out(ctx.get_help(), highlight=False)
        raise typer.Exit(UsageProblem.exit_code)


def _print_version(runtime: Runtime, output: OutputOptions) -> None:
    if output.is_text:
        runtime.out.out(f"{_NAME} {__version__}", highlight=False)
        return
    from ccgpu.cli.version import document

    runtime.answer(output, str, document)


def main(make_runtime: Callable[[], Runtime] | None = None) -> None:
    """The entry point.

    Args:
        make_runtime: returns the runtime. It is called after the process has set up its streams.
    """
    process.begin()
    make = make_runtime or process_runtime
    try:
        code = run(sys.argv[1:], make())
    except KeyboardInterrupt:  # a signal before `run` began
        code = run(sys.argv[1:], make(), interrupted=True)
    process.abandon(code)
    sys.exit(code)


def run(argv: Sequence[str], runtime: Runtime, *, interrupted: bool = False) -> int:
    """Run `ccgpu argv` and return its exit code. Only this function prints errors.

    Args:
        argv: the words after `ccgpu`.
        runtime: the streams, folders and back ends to use.
        interrupted: whether a signal has come already. Then only that is reported.
    """
    # 1. Run the command.
    command = _parser()
    hints = Hints(argv)
    runtime = replace(runtime, complete=hints.complete_hint)
    reporter = Reporter(runtime, stderr_wanted(command, argv))
    err: CcgpuError | None = Interrupted("interrupted")
    code = Interrupted.exit_code
    if not interrupted:
        err, code = _run_command(command, argv, reporter.runtime)
    # 2. An answer, or a file, that could not be written is an error, too.
    lost = runtime.lost()
    if lost is not None and err is None and not runtime.failed:
        err = AnswerLost(f"cannot write the answer to stdout: {lost}")
        code = code or err.exit_code
    if runtime.failed:
        err = failures.outranking(err, runtime.failed)
        code = code or err.exit_code
    # 3. Print the error, with commands that can be run as they are.
    if err is not None:
        hints.complete_error(err)
    return reporter.end(err, code)


@cache
def _parser() -> Any:
    """The parser of command lines: one for the whole process."""
    return typer.main.get_command(app)


def _run_command(
    command: Any, argv: Sequence[str], runtime: Runtime
) -> tuple[CcgpuError | None, int]:
    """Run the command. Return the error it ended with, or None, and the exit code."""
    try:
        defaults = CommandDefaults(runtime.user_config)
        with (
            standard_input(runtime.stdin),
            command.make_context(_NAME, [*argv], obj=runtime, default_map=defaults) as context,
        ):
            command.invoke(context)
    except typer.Exit as end:
        return None, end.exit_code
    except (Exception, KeyboardInterrupt) as err:  # noqa: BLE001  # a bug is reported in the same form
        error = failures.error_of(err)
        return error, error.exit_code
    return None, 0


def process_runtime() -> Runtime:
    """The runtime with this process's streams and terminal, and its user's folders."""
    from ccgpu.store import folders

    interactive = sys.stdin.isatty() and sys.stderr.isatty() and not os.environ.get("CI")
    state = folders.state()
    err = console(sys.stderr)
    return Runtime(
        out=console(sys.stdout),
        err=err,
        state=state,
        home=Path.home(),
        backend=lambda connection: _open_backend(connection, state),
        simulated=lambda: _open_simulation(state),
        serve=partial(_serve_simulation, state),
        ask=partial(confirm, err, sys.stdin) if interactive else None,
        ask_secret=ask_secret if interactive else None,
        lost=partial(streams.lost, sys.stdout),
        config=folders.config(),
        log=Path(name) if (name := os.environ.get(request_lines.VARIABLE)) else None,
        stdin=lambda: None if sys.stdin.isatty() else sys.stdin.buffer,
        go_on=process.go_on,
        guard=process.forbid_core_dumps,
    )


def _open_backend(connection: ConnectionOptions, state: Path) -> "Backend":
    from ccgpu.cli.backends import open_backend

    return open_backend(connection, state, os.environ)


@contextmanager
def _serve_simulation(
    state: Path, port: int, speed: float
) -> "Iterator[tuple[ServedAzure, Callable[[], None]]]":
    from ccgpu.cli.simulated_state import Simulation
    from ccgpu.store.folders import fake_state

    with (
        closing(Simulation(fake_state(state, os.environ))) as simulation,
        simulation.served(port, speed) as served,
    ):
        yield served


def _open_simulation(state: Path) -> "AbstractContextManager[Simulation]":
    from ccgpu.cli.simulated_state import Simulation
    from ccgpu.store.folders import fake_state

    return closing(Simulation(fake_state(state, os.environ)))
