"""`ccgpu config`: the user's own defaults."""

from typing import Annotated

import typer

from ccgpu.cli.commands import Command, command_group
from ccgpu.cli.config_settings import Setting, SettingArgument, answer, change
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import OutputArguments

app = command_group("config")
_ValueArgument = Annotated[list[str], typer.Argument(metavar="VALUE...", help="Value, or values.")]


@app.command("list", cls=Command)
@expand_options
def list_(ctx: typer.Context, *, output: OutputArguments) -> None:
    """List every setting, its value, and where that comes from.

    Flags and spec files are above all of them, the environment is above the file.

    Example: `ccgpu config list`
    """
    answer(ctx.obj, output, list(Setting))


@app.command(cls=Command)
@expand_options
def get(ctx: typer.Context, *, name: SettingArgument, output: OutputArguments) -> None:
    """Print the value of a setting.

    Example: `ccgpu config get regions`
    """
    answer(ctx.obj, output, [name], bare=True)


@app.command("set", cls=Command)
@expand_options
def set_(
    ctx: typer.Context, *, name: SettingArgument, value: _ValueArgument, output: OutputArguments
) -> None:
    """Set a default for every command but `verify`, which never reads it.

    Example: `ccgpu config set regions westeurope eastus2`
    """
    change(ctx.obj, name, value)
    answer(ctx.obj, output, [name])


@app.command(cls=Command)
@expand_options
def unset(ctx: typer.Context, *, name: SettingArgument, output: OutputArguments) -> None:
    """Remove a setting from the file, so that the default applies again.

    Example: `ccgpu config unset regions`
    """
    change(ctx.obj, name, ())
    answer(ctx.obj, output, [name])
