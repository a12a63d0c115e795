"""`ccgpu validate`."""

from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import OutputArguments
from ccgpu.cli.runtime import Runtime


@expand_options
def validate(
    ctx: typer.Context,
    *,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="Spec files to check; - for stdin.", show_default=False
        ),
    ],
    output: OutputArguments,
) -> None:
    """Check spec files and report every problem.

    Each problem is printed with its line and column. Sends no request. Exits with 3 if there is a
    problem.

    Example: `ccgpu validate vm.yaml`
    """
    from ccgpu.store import specs
    from ccgpu.views import specs as view

    runtime: Runtime = ctx.obj
    checked = {str(file): specs.check(file, runtime.read_document) for file in files}
    runtime.answer(output, lambda: view.as_text(checked), lambda: view.as_json(checked))
    if any(checked.values()):
        raise typer.Exit(3)
