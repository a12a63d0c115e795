"""`ccgpu secret`: secrets into the memory of a proven VM, and out of it again."""

from ccgpu.cli.commands import Command, command_group
from ccgpu.cli.secret_list import list_
from ccgpu.cli.secret_put import put
from ccgpu.cli.secret_rm import rm

app = command_group("secret")
app.command(cls=Command)(put)
app.command("list", cls=Command)(list_)
app.command(cls=Command)(rm)
