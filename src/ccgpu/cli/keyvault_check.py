"""`ccgpu keyvault check`."""

from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.keyvault_options import (
    AuthorityOption,
    KeyPlaceArguments,
    Kind,
    KindOption,
    TokenChoice,
    VersionOption,
)
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import (
    ConnectionArguments,
    GroupOption,
    OptionalName,
    OutputArguments,
    ProgressArguments,
    option,
)
from ccgpu.cli.runtime import Runtime
from ccgpu.errors import UsageProblem


@expand_options
def check(
    ctx: typer.Context,
    *,
    place: KeyPlaceArguments,
    name: OptionalName = None,
    token: Annotated[
        Path | None, option("A token that the VM got, or - for stdin.", "--token", metavar="FILE")
    ] = None,
    version: VersionOption = None,
    token_kind: KindOption = Kind.GUEST,
    authority: AuthorityOption = None,
    resource_group: GroupOption = None,
    progress_options: ProgressArguments,
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
    if name is None and token is None:
        raise UsageProblem(
            "nothing to hold the policy against", hint="give NAME, --token FILE, or both"
        )
    wanted = TokenChoice(token_kind, authority).wanted()
    given = None if token is None else read_given(runtime, token)
    address = place.address(connection.cloud)
    asked = ReleaseCheck(address, place.key, version, name, resource_group, given, wanted)
    cloud = runtime.connect(connection)
    with progress_options.shown(runtime) as progress:
        timeout = progress_options.timeout or TIMEOUT
        found = check_release(cloud, asked, timeout, progress)
    runtime.answer(
        output,
        lambda: view.findings_as_text(found, runtime.complete),
        lambda: view.findings_as_json(found, runtime.complete, simulated=cloud.simulated),
    )
    found.require_release()
