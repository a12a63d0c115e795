"""`ccgpu models`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from ccgpu.cli.durations import moment_of
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import OutputArguments, option
from ccgpu.cli.runtime import Runtime


@expand_options
def models(
    ctx: typer.Context,
    *,
    at: Annotated[
        datetime | None,
        option("Judge as of this day or time. Default: now.", parser=moment_of, metavar="TIME"),
    ] = None,
    output: OutputArguments,
) -> None:
    """List the models that are known, whether they fit, and what runs them.

    Licence and gating are those of the model's page; nothing is decided by them. A model that is
    not listed can be run all the same, if its files fit.

    Example: `ccgpu models -o json --query "models[?fits].repository"`
    """
    from ccgpu.scheduling.clock import RealClock
    from ccgpu.store import model_table
    from ccgpu.views import models as view

    runtime: Runtime = ctx.obj
    table = model_table.shipped()
    warnings = table.warnings(at or datetime.fromtimestamp(RealClock().now(), UTC))
    runtime.answer(
        output, lambda: view.as_text(table, warnings), lambda: view.as_json(table, warnings)
    )
