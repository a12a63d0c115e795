"""`ccgpu keyvault check`."""

import typer

from ccgpu.cli.keyvault_options import KeyPlaceArguments, ReleaseArguments
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, KeyVaultProgress, OutputArguments
from ccgpu.cli.runtime import Runtime


@expand_options
def check(
    ctx: typer.Context,
    *,
    place: KeyPlaceArguments,
    subject: ReleaseArguments,
    progress_options: KeyVaultProgress,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Explain why a key would be released to a VM, or not.

    With a token, each clause of the policy is held against it; without one, against the claims that
    are expected of the VM. With NAME, the VM's identity is looked at, too. Nothing is released.
    Exit codes: 0 it would be released; 9 it would not; 8 something that decides cannot be read.

    Example: `ccgpu keyvault check demo --vault myvault --name model-key --token token.jwt`
    """
    from ccgpu.cli.keyvault_sources import read_given
    from ccgpu.views import key_vault as view
    from ccgpu.workflows.key_vault.check import ReleaseCheck, check_release
    from ccgpu.workflows.key_vault.creation import TIMEOUT

    runtime: Runtime = ctx.obj
    subject.require_any()
    asked = ReleaseCheck(
        place.address(connection.cloud),
        place.key,
        subject.version,
        subject.name,
        subject.group,
        None if subject.token is None else read_given(subject.token),
        subject.choice.wanted(),
    )
    cloud = runtime.connect(connection)
    with progress_options.shown(runtime) as progress:
        found = check_release(cloud, asked, progress_options.timeout or TIMEOUT, progress)
    runtime.answer(
        output,
        lambda: view.findings_as_text(found, runtime.complete),
        lambda: view.findings_as_json(found, runtime.complete, simulated=cloud.simulated),
    )
    found.require_release()
