"""`ccgpu keyvault create-key`."""

import typer

from ccgpu.cli.keyvault_options import (
    KeyArguments,
    KeyPlaceArguments,
    SubjectArguments,
    TokenArguments,
)
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, KeyVaultProgress, OutputArguments
from ccgpu.cli.runtime import Runtime


@expand_options
def create_key(
    ctx: typer.Context,
    *,
    place: KeyPlaceArguments,
    wanted: KeyArguments,
    subject: SubjectArguments,
    token: TokenArguments,
    progress_options: KeyVaultProgress,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Create an exportable HSM key under a release policy.

    The key leaves the vault to a VM that meets the policy, and to nobody else. It bills, and stays
    when the deployment is deleted. Needs `pip install 'ccgpu[keyvault]'`.

    Example: `ccgpu keyvault create-key demo --vault myvault --name model-key`
    """
    from ccgpu.cli.keyvault_sources import key_policy
    from ccgpu.views import key_vault as view
    from ccgpu.workflows.key_vault.creation import TIMEOUT, create_key

    runtime: Runtime = ctx.obj
    subject.require_one(wanted.policy)
    address, make = place.address(connection.cloud), wanted.maker(place.key)
    policy = key_policy(runtime, connection, wanted, subject, token)
    cloud, again = runtime.connect(connection), wanted.new_version
    with progress_options.shown(runtime) as progress:
        timeout = progress_options.timeout or TIMEOUT
        made = create_key(
            cloud, address, policy, make, new_version=again, timeout=timeout, listen=progress
        )
    runtime.answer(
        output,
        lambda: view.created_as_text(made),
        lambda: view.created_as_json(made, simulated=cloud.simulated),
    )
