"""`ccgpu doctor`."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ccgpu.cli.access_options import WayArguments
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import (
    ConnectionArguments,
    OutputArguments,
    ProgressArguments,
    TargetArguments,
    option,
)
from ccgpu.cli.runtime import Runtime

if TYPE_CHECKING:
    from ccgpu.guest.diagnosis import Fix


@expand_options
def doctor(
    ctx: typer.Context,
    *,
    target: TargetArguments,
    fix: Annotated[bool, option("Mend what is safe to mend, and say what.", "--fix")] = False,
    way: WayArguments,
    progress_options: ProgressArguments,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Look into a VM: whether it is ready, and what will go wrong.

    Compares kernel, driver and GPU with what was set up. --fix runs the set-up again, and deletes
    caches; it never changes the GPU's ready state. Exit 10 if a check fails.

    Example: `ccgpu doctor demo --fix`
    """
    from ccgpu.views import diagnosed as view
    from ccgpu.workflows import doctor as workflow

    runtime: Runtime = ctx.obj
    backend = runtime.backend(connection)
    cloud = backend.connect()
    wanted = way.wanted(runtime, cloud, target, progress_options.timeout or workflow.TIMEOUT)
    with progress_options.shown(runtime) as progress:

        def announce(fixes: "Sequence[Fix]") -> None:
            for one in fixes:
                progress.note(f"fixing: {one.what} ({', '.join(map(shlex.join, one.commands))})")

        mend = announce if fix else None
        found = workflow.examine(cloud, backend.channels, wanted, announce=mend, listen=progress)
    wanted.remember(cloud)
    found = view.with_commands(found, runtime.complete)
    runtime.answer(output, lambda: view.as_text(found), lambda: view.as_json(found))
    workflow.require_good(found)
