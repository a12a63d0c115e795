"""Prints a VM's log: what there is, or also what is added."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ccgpu.cli.runtime import OutputOptions, Runtime
from ccgpu.errors import UsageProblem

if TYPE_CHECKING:
    from ccgpu.views.guest_logs import LogSource

_PAUSES = {"serial": 10.0, "setup": 2.0}  # seconds between two reads


def print_log(
    runtime: Runtime,
    output: OutputOptions,
    name: str,
    source: "LogSource",
    read: Callable[[], str],
    *,
    follow: bool,
) -> None:
    """Print a log on stdout.

    Args:
        runtime: has the stream, and the pause between two reads.
        output: text, or one document; with `follow` text alone.
        name: the deployment.
        source: which log it is.
        read: what was added since the last call.
        follow: whether to go on until Ctrl-C.
    """
    from ccgpu.views import guest_logs as view

    if output != OutputOptions():
        if follow:
            raise UsageProblem("--follow prints text only: leave out --output and --query")
        log = read()
        runtime.answer(output, lambda: view.as_text(log), lambda: view.as_json(name, source, log))
    elif follow:
        _follow(runtime, read, _PAUSES[source])
    else:
        runtime.out.out(view.as_text(read()), highlight=False)


def _follow(runtime: Runtime, read: Callable[[], str], pause: float) -> None:
    """Print each line once it is complete, and the last one at the end."""
    from ccgpu.views import guest_logs as view

    rest = ""
    with suppress(KeyboardInterrupt):
        while True:
            complete, newline, rest = (rest + read()).rpartition("\n")
            if newline:
                runtime.out.out(view.as_text(complete), highlight=False)
                runtime.out.file.flush()
            runtime.pause(pause)
    if rest:
        runtime.out.out(view.as_text(rest), highlight=False)
