"""Start, stop and restart: what the three commands share."""

from dataclasses import astuple
from typing import Literal

from ccgpu.cli.access_options import WayOptions
from ccgpu.cli.options import ProgressOptions, Target
from ccgpu.cli.runtime import ConnectionOptions, OutputOptions, Runtime
from ccgpu.cli.show import describe

Verb = Literal["start", "stop", "restart"]


def change_power(
    runtime: Runtime,
    verb: Verb,
    target: Target,
    progress_options: ProgressOptions,
    output: OutputOptions,
    connection: ConnectionOptions,
    way: WayOptions | None = None,
) -> None:
    """Perform `verb`; with `way`, look into the VM; then print the deployment like `show`."""
    from ccgpu.store.keys import Keys
    from ccgpu.workflows import lifecycle as workflow
    from ccgpu.workflows.guest_access import GuestOptions

    backend = runtime.backend(connection)
    cloud, guest = backend.connect(), None
    if way is not None:
        keys = Keys(runtime.state, target.name, runtime.home)
        access = way.access_to_try(cloud, target.name, target.group)
        guest = GuestOptions(backend.channels, access, keys)
    timeout = progress_options.timeout or workflow.TIMEOUT
    ends = cloud.now() + timeout
    with progress_options.shown(runtime) as progress:
        workflow.change_power_state(
            cloud, verb, *astuple(target), timeout=timeout, listen=progress, guest=guest
        )
    describe(runtime, cloud, target, output, ends)
