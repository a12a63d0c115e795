"""`ccgpu keyvault`: Azure Key Vault's secure key release for a VM."""

from ccgpu.cli.commands import Command, command_group
from ccgpu.cli.keyvault_check import check
from ccgpu.cli.keyvault_create import create_key
from ccgpu.cli.keyvault_policy import policy

app = command_group("keyvault")


@app.callback()
def keyvault() -> None:
    """Release policies, keys, and why a release would fail."""


app.command(cls=Command)(policy)
app.command("create-key", cls=Command)(create_key)
app.command(cls=Command)(check)
