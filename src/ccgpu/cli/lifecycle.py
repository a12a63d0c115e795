"""`ccgpu start`, `stop` and `restart`."""

from collections.abc import Callable
from dataclasses import astuple
from typing import Literal

import typer

from ccgpu.cli.bundles import spread
from ccgpu.cli.options import (
    CourseOptions,
    ReachOptions,
    TargetOptions,
    WishOptions,
)
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.show import describe

Verb = Literal["start", "stop", "restart"]


def acting(verb: Verb, help_: str) -> Callable[..., None]:
    """The command that does `verb`, and answers like `show`."""

    @spread
    def command(
        ctx: typer.Context,
        *,
        target: TargetOptions,
        course: CourseOptions,
        answer: WishOptions,
        reach: ReachOptions,
    ) -> None:
        from ccgpu.workflows import lifecycle as workflow

        run: Runtime = ctx.obj
        cloud = run.connect(reach)
        timeout = course.timeout or workflow.TIMEOUT
        with course.shown(run) as progress:
            workflow.act(cloud, verb, *astuple(target), timeout=timeout, listen=progress)
        describe(run, cloud, target, answer)

    command.__doc__ = f"{help_}\n\nExample: `ccgpu {verb} demo`"
    return command


start = acting("start", "Start the VM, and wait until its guest is up.")
stop = acting("stop", "Stop the VM and give its cores back (deallocate): only its disks bill then.")
restart = acting("restart", "Restart the VM, and wait until its guest is up.")
