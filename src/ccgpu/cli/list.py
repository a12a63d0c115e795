"""`ccgpu list`."""

import typer

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, OutputArguments
from ccgpu.cli.runtime import Runtime


@expand_options
def list_(ctx: typer.Context, *, output: OutputArguments, connection: ConnectionArguments) -> None:
    """List the deployments of the subscription.

    Deployments are found by their tags, so every machine shows the same list. The state is Azure's;
    `show` also tells whether this machine has attested the VM.

    Example: `ccgpu list -o json --query "deployments[?state=='ready'].name"`
    """
    from ccgpu.views import deployment as view
    from ccgpu.views.signed_in import with_sign_in
    from ccgpu.workflows.list_deployments import list_deployments

    runtime: Runtime = ctx.obj
    cloud = runtime.connect(connection)
    deployments = list_deployments(cloud)
    runtime.answer(
        output,
        lambda: view.list_as_text(deployments),
        lambda: with_sign_in(
            view.list_as_json(deployments, simulated=cloud.simulated), cloud.session.signed_in_with
        ),
    )
