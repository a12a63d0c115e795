"""What `capacity` and `quota` share: all regions or the spec's, and the spec."""

from typing import TYPE_CHECKING, Annotated

import typer

from ccgpu.cli.runtime import ConnectionOptions, Runtime
from ccgpu.cli.spec_options import SpecRequest, connect_and_resolve

if TYPE_CHECKING:
    from ccgpu.azure.context import AzureContext
    from ccgpu.domain.spec.vm import VmSpec

AllRegionsOption = Annotated[
    bool, typer.Option("--all-regions", help="Every region that offers the size.")
]


def open_spec(
    runtime: Runtime, request: SpecRequest, connection: ConnectionOptions, *, fresh: bool
) -> "tuple[AzureContext, VmSpec]":
    """The subscription, and the spec of the options; without NAME, of no deployment."""
    if request.name is None:
        return runtime.connect(connection), request.build(runtime, default_name="capacity")
    cloud, wanted = connect_and_resolve(
        lambda: runtime.connect(connection), request, runtime, fresh=fresh
    )
    return cloud, wanted.spec
