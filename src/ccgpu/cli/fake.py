"""`ccgpu fake`: shows and changes the simulated subscription and its virtual time."""

import typer

from ccgpu.cli import fake_add, fake_serve
from ccgpu.cli.commands import Command, command_group
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import OutputArguments
from ccgpu.cli.simulation import Duration, Wanted, changed, settings

app = command_group("fake")


@app.command(cls=Command)
@expand_options
def show(ctx: typer.Context, *, output: OutputArguments) -> None:
    """Show what exists and how long each resource was billed.

    With `-o json`, also every request so far.

    Example: `ccgpu fake show -o json --query billing`
    """
    changed(ctx.obj, output, lambda _: None)


@app.command(cls=Command)
@expand_options
def reset(ctx: typer.Context, *, output: OutputArguments) -> None:
    """Delete every resource; virtual time is not reset.

    Example: `ccgpu fake reset`
    """
    changed(ctx.obj, output, lambda world: world.reset())


@app.command(cls=Command)
@expand_options
def advance(ctx: typer.Context, *, duration: Duration, output: OutputArguments) -> None:
    """Let virtual time pass; operations in progress complete.

    Example: `ccgpu fake advance 2h`
    """
    changed(ctx.obj, output, lambda world: world.advance(duration))


@app.command(cls=Command)
@expand_options
def scenario(ctx: typer.Context, *, wanted: Wanted, output: OutputArguments) -> None:
    """Make Azure sold out, throttled, locked, and so on.

    Example: `ccgpu fake scenario quota-zero`
    """
    from ccgpu.fakearm import scenarios

    chosen = settings(wanted, scenarios)
    changed(ctx.obj, output, lambda world: world.configure(chosen))


app.command(cls=Command)(fake_add.add)
app.command(cls=Command)(fake_serve.serve)
