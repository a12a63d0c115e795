"""`ccgpu doctor`."""

from typing import Annotated

import typer

from ccgpu.cli.access_options import WayArguments
from ccgpu.cli.guest_check import GuestExamination, guest_target
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import ConnectionArguments, DoctorProgress, OutputArguments, option
from ccgpu.cli.setup_check import check_and_tell
from ccgpu.cli.spec_options import TargetOrSpecArguments


@expand_options
def doctor(
    ctx: typer.Context,
    *,
    request: TargetOrSpecArguments,
    fix: Annotated[
        bool, option("Mend what is safe to mend in the VM, and say what.", "--fix")
    ] = False,
    way: WayArguments,
    progress_options: DoctorProgress,
    output: OutputArguments,
    connection: ConnectionArguments,
) -> None:
    """Check your set-up before anything costs, or look into a VM.

    Without NAME: sign-in, subscription, permissions, quota, image, this machine, and what will stop
    working, for the spec that you give. It only reads. Exit 0 only if `create` would pass its
    preflight; else with the exit code of the first check that failed.

    With NAME: compares kernel, driver and GPU with what was set up. --fix runs the set-up again,
    and deletes caches; it never changes the GPU's ready state. Exit 10 if a check fails.

    Example: `ccgpu doctor -f vm.yaml`, later `ccgpu doctor demo --fix`
    """
    if request.name is None:
        check_and_tell(ctx.obj, request, output, connection, (way, progress_options), fix=fix)
        return
    target = guest_target(request.name, request)
    looking = GuestExamination(fix, way, progress_options)
    looking.examine_and_tell(ctx.obj, target, output, connection)
