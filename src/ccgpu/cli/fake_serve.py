"""`ccgpu fake serve`: the simulated subscription over HTTPS, for `az` and other people's tools."""

from contextlib import suppress
from typing import Annotated

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import OutputArguments
from ccgpu.cli.runtime import Runtime

_BETWEEN_TICKS = 0.5  # seconds; requests let time catch up as well


@expand_options
def serve(
    ctx: typer.Context,
    *,
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="TCP port on loopback; 0 chooses a free one."),
    ] = 0,
    speed: Annotated[
        float,
        typer.Option(
            min=1, max=100_000, metavar="FACTOR", help="How much faster than real time it is there."
        ),
    ] = 1.0,
    output: OutputArguments,
) -> None:
    """Serve the simulated Azure over HTTPS on loopback until Ctrl-C.

    Prints the settings and commands that lead `az` there, as a shell script. Virtual time
    passes with real time. Several clients, and `--backend fake`, may use it at once.

    Example: `ccgpu fake serve --speed 60`
    """
    from ccgpu.views import served as view

    runtime: Runtime = ctx.obj
    with suppress(KeyboardInterrupt), runtime.serve(port, speed) as (served, tick):
        runtime.answer(output, lambda: view.as_text(served), lambda: view.as_json(served))
        runtime.out.file.flush()
        while True:
            runtime.pause(_BETWEEN_TICKS)
            tick()
