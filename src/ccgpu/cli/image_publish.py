"""`ccgpu image publish`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccgpu.cli.consent import ConsentArguments
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, OutputArguments, PublishProgress
from ccgpu.cli.publish_options import PublishArguments
from ccgpu.cli.runtime import Runtime

if TYPE_CHECKING:
    from ccgpu.domain.resource import ResourceId


@expand_options
def publish(
    ctx: typer.Context,
    *,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="What `image build --out DIR` has written.")
    ],
    place: PublishArguments,
    progress_options: PublishProgress,
    consent: ConsentArguments,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Publish a measured image: a version in a gallery, from which VMs are created.

    The disk is measured first, and must be that of the manifest. Gallery and definition are made if
    they are missing. Run it again after an interruption: it goes on. Exit codes: 0 published, or
    already there; 2 the version or the definition is of another image; 9 the disk is another one.

    Example: `ccgpu image publish built --gallery images --region eastus2 --yes`
    """
    from ccgpu.views import published as view
    from ccgpu.views.signs import resource_label
    from ccgpu.workflows.publish.context import TIMEOUT, PublishRequest
    from ccgpu.workflows.publish.publish import publish_image

    runtime: Runtime = ctx.obj
    cloud = runtime.connect(connection)
    names = (place.gallery, place.group, place.name, place.regions, place.replicas)
    request = PublishRequest(folder, *names, progress_options.timeout or TIMEOUT)
    with progress_options.shown(runtime) as progress:

        def approve(ids: "Sequence[ResourceId]") -> None:
            doing = f"create {' and '.join(map(resource_label, ids))} (no command deletes them)"
            consent.require(runtime, progress, doing, ids)

        done = publish_image(cloud, request, progress, approve)
    runtime.answer(output, lambda: view.as_text(done), lambda: view.as_json(done))
    if done.failure is not None:
        raise done.failure
