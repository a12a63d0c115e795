"""`ccgpu create --run`: create, attest, release, run, fetch, delete, with one exit code."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ccgpu.cli.creation import Creation
from ccgpu.cli.new_paths import new_path
from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import option
from ccgpu.cli.releasing import wanted_release
from ccgpu.cli.running import LogLines, answer_run, hub_token, pin
from ccgpu.cli.runtime import OutputOptions
from ccgpu.domain.time_limits import THEN_DELETE
from ccgpu.errors import CcgpuError, UsageProblem
from ccgpu.scheduling.durations import in_words

if TYPE_CHECKING:
    from ccgpu.azure.run import Run
    from ccgpu.domain.run_outcome import RunOutcome
    from ccgpu.views.progress import Progress
    from ccgpu.workflows.create.context import CreateOutcome
    from ccgpu.workflows.run.request import RunRequest

_PANEL = "Workload"


@dataclass(frozen=True, slots=True)
class OneShotOptions:
    """Whether the spec's workload is run, and what becomes of VM and outputs then."""

    run: bool
    then_delete: bool
    output_dir: Path | None

    def require_usable(self, *, waits: bool, attests: bool) -> None:
        """Refuse options that do not fit together; raises `UsageProblem`."""
        if not self.run and (self.then_delete or self.output_dir is not None):
            raise UsageProblem("--then-delete and --output-dir need --run")
        if self.run and not waits:
            raise UsageProblem("--run needs the VM, and --no-wait does not wait for it")
        if self.run and not attests:
            raise UsageProblem("--run runs in a proven VM: leave out --no-attest")


@dataclass(frozen=True, slots=True)
class OneShot:
    """One `ccgpu create --run` whose spec is valid."""

    creation: Creation
    options: OneShotOptions

    def carry_out(self, output: OutputOptions) -> None:
        """Carry out all of it, and print how it went; exit as the job, or ccgpu, has ended."""
        from ccgpu.workflows.run.one_shot import delete_unless_refused

        creation, made = self.creation, dict[str, Any]()
        runtime, spec = creation.runtime, creation.spec
        with creation.progress_options.shown(runtime) as progress:
            outcome = self._create_and_run(progress, output, made)
            if self.options.then_delete:
                parts = (creation.cloud, outcome, spec.group, progress)
                outcome = delete_unless_refused(*parts, runtime.go_on)
        plan = outcome.plan
        streamed = plan is not None and plan.kind.value == "job"
        answer_run(runtime, outcome, output, streamed=streamed, created=made or None)

    def _create_and_run(
        self, progress: "Progress", output: OutputOptions, made: dict[str, Any]
    ) -> "RunOutcome":
        from ccgpu.azure.run import Run
        from ccgpu.domain.run_outcome import RunOutcome
        from ccgpu.workflows.release import require_release_policy
        from ccgpu.workflows.run.one_shot import create_and_run
        from ccgpu.workflows.run.run_workload import TIMEOUT

        creation = self.creation
        cloud, spec = creation.cloud, creation.spec
        loosened = creation.attest_flags.allow_loosened
        try:
            means = creation.attest_means()
            if means is None:  # `require_usable` has refused it
                raise UsageProblem("--run runs in a proven VM")
            require_release_policy(means, allow_loosened=loosened)
            # `--timeout` is for all of it but the delete at the end.
            limit = creation.progress_options.timeout
            begun = Run.begin(cloud, limit or TIMEOUT, progress)
            request = self._request(begun)
        except CcgpuError as err:
            return RunOutcome(spec.name, problem=err)

        def create() -> "CreateOutcome":
            outcome, deployment = creation.create(means, progress)
            made.update(creation.as_json(outcome, deployment))
            return outcome

        shown = LogLines(creation.runtime, output, progress)
        run = partial(self._run, None if limit is None else begun, request, means, shown)
        return create_and_run(spec.name, request.plan, create, run)

    def _request(self, run: "Run") -> "RunRequest":
        """The workload of the spec, for a VM with the settings of the spec."""
        from ccgpu.domain.workload.values import WorkloadKind
        from ccgpu.workflows.run.planning import RunWishes, make_request, require_workload

        options, spec = self.options, self.creation.spec
        workload = require_workload(spec, "--set workload.use=shell")  # `create` has no --workload
        wishes = RunWishes(output_dir=options.output_dir, then_delete=options.then_delete)
        hub = self.creation.backend.hub(hub_token(spec))
        request = make_request(spec, workload, spec.guest, wishes, partial(pin, hub, None, run))
        waits = request.plan.kind is WorkloadKind.JOB
        request = replace(request, wait=waits, resumes=True)
        request.require_usable()
        request.require_sources()
        return request

    def _run(
        self, limited: "Run | None", request: "RunRequest", means: Any, shown: LogLines
    ) -> "RunOutcome":
        """limited: the command as it began, if it has a time limit."""
        from ccgpu.azure.run import Run
        from ccgpu.store.keys import Keys
        from ccgpu.workflows.discovery.search import find_names
        from ccgpu.workflows.run.run_workload import TIMEOUT, RunMeans, run_workload

        creation = self.creation
        cloud, name, runtime = creation.cloud, creation.spec.name, creation.runtime
        run = limited or Run.begin(cloud, TIMEOUT, shown.progress)
        guest = creation.backend.guest(cloud, name, Keys(runtime.state, name, runtime.home))
        how = RunMeans(
            guest,
            means,
            wanted_release(runtime, ()).reader,
            allow_loosened=creation.attest_flags.allow_loosened,
            line=shown.print_line,
            following=shown.pausing,
            limited=limited is not None,
        )
        return run_workload(run, find_names(run, name, creation.spec.group), request, how)


def _one_shot_options(
    run: Annotated[
        bool,
        option("Run the spec's workload in the VM; wait for a job's end.", "--run", panel=_PANEL),
    ] = False,
    then_delete: Annotated[
        bool,
        option(
            "With --run: delete the deployment at the end, whatever happened; "
            f"it has {in_words(THEN_DELETE)} for that.",
            "--then-delete",
            panel=_PANEL,
        ),
    ] = False,
    output_dir: Annotated[
        Path | None,
        new_path(
            "With --run: new folder for the job's outputs.",
            "--output-dir",
            metavar="DIR",
            panel=_PANEL,
        ),
    ] = None,
) -> OneShotOptions:
    return OneShotOptions(run, then_delete, output_dir)


OneShotArguments = Annotated[OneShotOptions, OptionGroup(_one_shot_options)]
