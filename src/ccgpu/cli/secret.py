"""`ccgpu secret`: secrets into the memory of a proven VM, and out of it again."""

import typer

from ccgpu.cli.commands import COMMANDS, Command, CommandGroup
from ccgpu.cli.secret_list import list_
from ccgpu.cli.secret_put import put
from ccgpu.cli.secret_rm import rm

app = typer.Typer(
    cls=CommandGroup, help=COMMANDS["secret"].help, rich_markup_mode=None, add_completion=False
)
app.command(cls=Command)(put)
app.command("list", cls=Command)(list_)
app.command(cls=Command)(rm)
