"""`ccgpu doctor NAME`: the check of the inside of a VM."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ccgpu.cli.access_options import WayOptions
from ccgpu.cli.options import ProgressOptions, Target
from ccgpu.cli.runtime import ConnectionOptions, OutputOptions, Runtime
from ccgpu.cli.spec_options import SpecRequest
from ccgpu.errors import UsageProblem

if TYPE_CHECKING:
    from ccgpu.guest.diagnosis import Fix


def guest_target(name: str, request: SpecRequest) -> Target:
    """The VM that is looked into; refuses options of a spec, which say nothing about it."""
    given = request.flags.keys() - {"resource_group"}
    if request.file or request.template or request.sets or given:
        raise UsageProblem(
            f"`doctor {name}` looks into that VM, and takes no spec",
            hint="leave NAME out to check the set-up for a spec: `ccgpu doctor -f FILE`",
        )
    return Target(name, request.flags.get("resource_group"))


@dataclass(frozen=True, slots=True)
class GuestExamination:
    """The options of a look into a VM. fix: whether what is safe to mend is mended."""

    fix: bool
    way: WayOptions
    progress_options: ProgressOptions

    def examine_and_tell(
        self,
        runtime: Runtime,
        target: Target,
        output: OutputOptions,
        connection: ConnectionOptions,
    ) -> None:
        """Look, mend, print the checks, and raise an error if one has failed."""
        from ccgpu.views import diagnosed as view
        from ccgpu.workflows import doctor as workflow

        backend = runtime.backend(connection)
        cloud = backend.connect()
        timeout = self.progress_options.timeout or workflow.TIMEOUT
        wanted = self.way.wanted(runtime, cloud, target, timeout)
        with self.progress_options.shown(runtime) as progress:

            def announce(fixes: "Sequence[Fix]") -> None:
                for one in fixes:
                    commands = ", ".join(map(shlex.join, one.commands))
                    progress.note(f"fixing: {one.what} ({commands})")

            mend = announce if self.fix else None
            found = workflow.examine(
                cloud, backend.channels, wanted, announce=mend, listen=progress
            )
        wanted.remember(cloud)
        found = view.with_commands(found, runtime.complete)
        runtime.answer(output, lambda: view.as_text(found), lambda: view.as_json(found))
        workflow.require_good(found)
