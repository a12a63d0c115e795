"""`ccgpu show`."""

from typing import TYPE_CHECKING

import typer

from ccgpu.cli.login import login_fields
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, OutputArguments, Target, TargetArguments
from ccgpu.cli.runtime import OutputOptions, Runtime

if TYPE_CHECKING:
    from ccgpu.azure.context import AzureContext


@expand_options
def show(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Show one deployment.

    Prints its state, addresses, lease and resources.

    Example: `ccgpu show demo -o json --query public_ip`
    """
    runtime: Runtime = ctx.obj
    describe(runtime, runtime.connect(connection), target, output)


def describe(
    runtime: Runtime,
    cloud: "AzureContext",
    target: Target,
    output: OutputOptions,
    ends: float | None = None,
) -> None:
    """Read the deployment from Azure and print it; `ends` as in `workflows.show`."""
    from ccgpu.domain.removal import tag_missing
    from ccgpu.views import deployment as view
    from ccgpu.views.signed_in import with_sign_in
    from ccgpu.workflows.show import show as look

    deployment = look(cloud, target.name, target.group, ends=ends)
    if deployment.untagged_vm is not None:
        missing = tag_missing(deployment.untagged_vm, deployment.name)
        runtime.note(f"note: {missing}, and what it costs is not counted; {missing.hint}")
    runtime.answer(
        output,
        lambda: view.as_text(deployment, simulated=cloud.simulated),
        lambda: with_sign_in(
            view.as_json(deployment, simulated=cloud.simulated)
            | login_fields(runtime, cloud, deployment),
            cloud.session.signed_in_with,
        ),
    )
