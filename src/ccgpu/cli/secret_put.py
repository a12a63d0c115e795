"""`ccgpu secret put`."""

from typing import Annotated

import typer

from ccgpu.cli.access_options import WayArguments
from ccgpu.cli.attesting import LoosenedOption, PolicyOption
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import (
    ConnectionArguments,
    OutputArguments,
    SecretsProgress,
    TargetArguments,
    option,
)
from ccgpu.cli.output_files import FileArguments
from ccgpu.cli.pins_options import PinsOption, PinsOptions
from ccgpu.cli.releasing import SecretPut
from ccgpu.cli.secret_options import SecretArguments


@expand_options
def put(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    secrets: SecretArguments,
    dry_run: Annotated[
        bool, option("Prove the VM, but read and release nothing.", "--dry-run")
    ] = False,
    policy: PolicyOption = None,
    unsafe_allow_loosened_policy: LoosenedOption = False,
    pins: PinsOption = None,
    files: FileArguments,
    way: WayArguments,
    progress_options: SecretsProgress,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Release a secret to the VM, once it is proven in this very run.

    The VM is attested anew. Only if it is accepted is the secret read, sealed to a key that this
    evidence is bound to, and sent over SSH to the attested host key. In the VM it is a file in
    memory, /run/ccgpu/secrets/KEY, for its owner alone; a reboot ends it. Put it again to replace
    it. Exit codes: 9 rejected; 8 no verdict; 10 not reachable, or the VM did not take it.

    Example: `ccgpu secret put demo hf-token --from-env HF_TOKEN`
    """
    golden = PinsOptions(pins, None)
    parts = (ctx.obj, connection, target, secrets, policy, golden, files, way, progress_options)
    SecretPut(*parts, unsafe_allow_loosened_policy, dry_run).carry_out(output)
