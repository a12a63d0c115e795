"""`ccgpu keyvault create-key`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.keyvault_options import KeyPlaceArguments, SubjectArguments, TokenArguments
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, OutputArguments, ProgressArguments, option
from ccgpu.cli.runtime import Runtime


class KeyKind(StrEnum):
    """The types of keys that an HSM protects."""

    RSA = "RSA-HSM"
    EC = "EC-HSM"
    OCT = "oct-HSM"


@expand_options
def create_key(
    ctx: typer.Context,
    *,
    place: KeyPlaceArguments,
    policy: Annotated[
        Path | None, option("A release policy, instead of a VM.", "--policy", metavar="FILE")
    ] = None,
    kind: Annotated[
        KeyKind, typer.Option("--type", help="Type of the key; oct-HSM: in a managed HSM alone.")
    ] = KeyKind.RSA,
    size: Annotated[
        str | None, option("Bits, or the curve of an EC key. Default: RSA 4096, P-256.", "--size")
    ] = None,
    immutable: Annotated[
        bool, option("Nobody can ever change the policy, nor use another.", "--immutable")
    ] = False,
    new_version: Annotated[
        bool, option("Add a version, if the key exists.", "--new-version")
    ] = False,
    subject: SubjectArguments,
    token: TokenArguments,
    progress_options: ProgressArguments,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Create an exportable HSM key under a release policy.

    The key leaves the vault to a VM that meets the policy, and to nobody else. It bills, and
    `ccgpu delete` does not delete it. Needs `pip install 'ccgpu[keyvault]'`.

    Example: `ccgpu keyvault create-key demo --vault myvault --name model-key`
    """
    from ccgpu.cli.keyvault_sources import key_maker, make_policy, note_origin, read_given
    from ccgpu.views import key_vault as view
    from ccgpu.workflows.key_vault import creation

    runtime: Runtime = ctx.obj
    subject.require_one(policy)
    address = place.address(connection.cloud)
    make = key_maker(place.key, kind.value, size, immutable=immutable)
    if policy is None:
        wanted, source = make_policy(runtime, connection, subject, token)
        note_origin(runtime, source, subject.name)
    else:
        wanted = creation.read_policy(read_given(runtime, policy))
    cloud = runtime.connect(connection)
    with progress_options.shown(runtime) as progress:
        timeout = progress_options.timeout or creation.TIMEOUT
        made = creation.create_key(
            cloud, address, wanted, make, new_version=new_version, timeout=timeout, listen=progress
        )
    runtime.answer(
        output,
        lambda: view.created_as_text(made),
        lambda: view.created_as_json(made, simulated=cloud.simulated),
    )
