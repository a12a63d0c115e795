"""`ccgpu drivers`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from ccgpu.cli.durations import moment_of, seconds
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import OutputArguments, option
from ccgpu.cli.runtime import Runtime


@expand_options
def drivers(
    ctx: typer.Context,
    *,
    check: Annotated[
        bool, option("Fail if the table is out of date, or soon will be.", "--check")
    ] = False,
    within: Annotated[
        float,
        typer.Option(
            "--within", parser=seconds, metavar="DURATION", help="What --check calls soon."
        ),
    ] = "30d",  # type: ignore[assignment]  # typer parses it
    at: Annotated[
        datetime | None,
        option("Judge as of this day or time. Default: now.", parser=moment_of, metavar="TIME"),
    ] = None,
    output: OutputArguments,
) -> None:
    """List the GPU drivers that can be attested, and until when.

    `guest.driver` takes the offered ones. With --check, exit 3 if the table is too old, the default
    driver cannot be attested, its manifest's signer expires soon, or that of another offered driver
    has expired; one of another driver that expires soon is a warning.

    Example: `ccgpu drivers --check --within 30d`
    """
    from ccgpu.errors import InvalidFile, Problem
    from ccgpu.scheduling.clock import RealClock
    from ccgpu.store import driver_table
    from ccgpu.views import drivers as view

    runtime: Runtime = ctx.obj
    table = driver_table.shipped()
    moment = at or datetime.fromtimestamp(RealClock().now(), UTC)
    soon = timedelta(seconds=within)
    if check and (found := table.findings(moment, soon)):
        problems = [Problem("", line) for line in found]
        raise InvalidFile(driver_table.PATH, problems, hint="update ccgpu, or its table")
    warnings = table.notes(moment, soon) if check else ()
    runtime.answer(
        output,
        lambda: view.as_text(table, moment, warnings),
        lambda: view.as_json(table, moment, warnings),
    )
