"""`ccgpu validate`."""

from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.bundles import spread
from ccgpu.cli.options import WishOptions
from ccgpu.cli.runtime import Runtime


@spread
def validate(
    ctx: typer.Context,
    *,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Spec files.", show_default=False)
    ],
    answer: WishOptions,
) -> None:
    """Say all that is wrong with spec files.

    Each with its line and column. Asks nobody. The exit code is 3 if anything is wrong.

    Example: `ccgpu validate vm.yaml`
    """
    from ccgpu.store import specs
    from ccgpu.views import specs as view

    run: Runtime = ctx.obj
    checked = {str(file): specs.check(file) for file in files}
    run.answer(answer, lambda: view.as_text(checked), lambda: view.as_json(checked))
    if any(checked.values()):
        raise typer.Exit(3)
