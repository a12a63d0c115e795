"""`ccgpu fake`: look at the simulated subscription, empty it, let its time pass."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from ccgpu.cli.bundles import spread
from ccgpu.cli.commands import COMMANDS, Command
from ccgpu.cli.durations import seconds
from ccgpu.cli.options import WishOptions
from ccgpu.cli.runtime import Runtime, Simulated, Wish

app = typer.Typer(help=COMMANDS["fake"].help, rich_markup_mode=None, add_completion=False)
Duration = Annotated[
    float, typer.Argument(parser=seconds, metavar="DURATION", help="As in 2h.", show_default=False)
]


@app.command(cls=Command)
@spread
def show(ctx: typer.Context, *, answer: WishOptions) -> None:
    """Show what exists and what it costs.

    With `-o json` also every request so far.

    Example: `ccgpu fake show -o json --query billing`
    """
    _answer(ctx.obj, answer, lambda _: None)


@app.command(cls=Command)
@spread
def reset(ctx: typer.Context, *, answer: WishOptions) -> None:
    """Empty the subscription; its time does not go back.

    Example: `ccgpu fake reset`
    """
    _answer(ctx.obj, answer, lambda world: world.reset())


@app.command(cls=Command)
@spread
def advance(ctx: typer.Context, *, duration: Duration, answer: WishOptions) -> None:
    """Let virtual time pass, with all that happens in it.

    Example: `ccgpu fake advance 2h`
    """
    _answer(ctx.obj, answer, lambda world: world.advance(duration))


def _answer(run: Runtime, wish: Wish, change: Callable[[Simulated], Any]) -> None:
    from ccgpu.views import simulated as view

    with run.simulated() as world:
        change(world)
        account = world.show()
    run.answer(wish, lambda: view.as_text(account), lambda: view.as_json(account))
