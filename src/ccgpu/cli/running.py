"""`ccgpu run` with its options collected: plan, run, delete if that is wanted, and print."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ccgpu.cli.access_options import WayOptions
from ccgpu.cli.attesting import attest_means
from ccgpu.cli.options import ProgressOptions, Target
from ccgpu.cli.releasing import wanted_release
from ccgpu.cli.run_options import EndingOptions, WorkloadOptions
from ccgpu.cli.runtime import ConnectionOptions, OutputFormat, OutputOptions, Runtime
from ccgpu.errors import CcgpuError

if TYPE_CHECKING:
    from ccgpu.azure.context import AzureContext
    from ccgpu.azure.run import Run
    from ccgpu.cli.backends import Backend
    from ccgpu.domain.desired import Names
    from ccgpu.domain.given import RememberedSpec
    from ccgpu.domain.model_manifest import ModelManifest
    from ccgpu.domain.run_outcome import RunOutcome
    from ccgpu.domain.spec.vm import VmSpec
    from ccgpu.views.progress import Progress
    from ccgpu.workflows.attest import AttestMeans
    from ccgpu.workflows.guest_access import WantedGuest
    from ccgpu.workflows.pin_model import Hub
    from ccgpu.workflows.run.request import RunRequest
    from ccgpu.workflows.run.run_workload import RunMeans

_HUB_SECRET = "hf-token"  # noqa: S105  # its name
_HUB_TOKEN = "HF_TOKEN"  # noqa: S105  # the name that huggingface_hub gives this variable


@dataclass(frozen=True, slots=True)
class Running:
    """One `ccgpu run`."""

    runtime: Runtime
    connection: ConnectionOptions
    target: Target
    workload: WorkloadOptions
    ending: EndingOptions
    policy: str | None
    allow_loosened: bool
    way: WayOptions
    progress_options: ProgressOptions

    def carry_out(self, output: OutputOptions) -> None:
        """Run the workload, and print how it went; exit as it, or ccgpu, has ended."""
        from ccgpu.domain.run_outcome import HEALTHY

        backend = self.runtime.backend(self.connection)
        cloud = backend.connect()
        outcome = self._run(backend, cloud, output)
        answer_run(self.runtime, outcome, output, streamed=self.ending.wait)
        if outcome.state == HEALTHY and outcome.plan is not None and not outcome.deleted:
            command = f"ccgpu tunnel {outcome.name} {outcome.plan.name}"
            self.progress_options.hint(self.runtime, f"`{command}`")

    def show_plan(self, output: OutputOptions) -> None:
        """Print what would run; the VM is not asked."""
        from ccgpu.views import run as view

        backend = self.runtime.backend(self.connection)
        cloud = backend.connect()
        with self.progress_options.shown(self.runtime) as progress:
            spec = self._spec(cloud)
            run, names, _ = self._begin(cloud, progress)
            request = self._plan(backend, spec, run, names)
        parts = (self.target.name, request.plan)
        self.runtime.answer(
            output, lambda: view.plan_as_text(*parts), lambda: view.plan_as_json(*parts)
        )

    def _begin(
        self, cloud: "AzureContext", progress: "Progress"
    ) -> "tuple[Run, Names, WantedGuest]":
        from ccgpu.azure.run import Run
        from ccgpu.workflows.discovery.search import find_names
        from ccgpu.workflows.run.run_workload import TIMEOUT

        limit = self.progress_options.timeout or TIMEOUT
        run = Run.begin(cloud, limit, progress)
        wanted = self.way.wanted(self.runtime, cloud, self.target, limit)
        return run, find_names(run, self.target.name, self.target.group), wanted

    def _spec(self, cloud: "AzureContext") -> "VmSpec":
        """The spec of the run. It is read before any request: an invalid one sends nothing."""
        return requested_spec(cloud, self.target, self.workload, self.runtime)

    def _plan(self, backend: "Backend", spec: "VmSpec", run: "Run", names: "Names") -> "RunRequest":
        from ccgpu.workflows.run.planning import RunWishes, plan_run

        ending = self.ending
        wishes = RunWishes(ending.wait, ending.output_dir, ending.replace, ending.then_delete)
        hub = backend.hub(hub_token(spec))
        return plan_run(run, names, spec, wishes, partial(pin, hub, self.workload.lock, run))

    def _run(
        self, backend: "Backend", cloud: "AzureContext", output: OutputOptions
    ) -> "RunOutcome":
        from ccgpu.domain.run_outcome import RunOutcome
        from ccgpu.workflows.release import require_release_policy
        from ccgpu.workflows.run.ending import delete_after
        from ccgpu.workflows.run.run_workload import run_workload

        with self.progress_options.shown(self.runtime) as progress:
            try:
                means = attest_means(self.runtime, backend, self.policy)
                require_release_policy(means, allow_loosened=self.allow_loosened)
                spec = self._spec(cloud)
                run, names, wanted = self._begin(cloud, progress)
                request = self._plan(backend, spec, run, names)
            except CcgpuError as err:
                return RunOutcome(self.target.name, problem=err)
            shown = LogLines(self.runtime, output, progress)
            how = self._means(backend, means, wanted, shown)
            outcome = run_workload(run, names, request, how)
            if self.ending.then_delete:
                parts = (cloud, outcome, self.target.group, progress)
                outcome = delete_after(*parts, self.runtime.go_on)
            return outcome

    def _means(
        self, backend: "Backend", means: "AttestMeans", wanted: "WantedGuest", shown: "LogLines"
    ) -> "RunMeans":
        from ccgpu.workflows.guest_access import GuestOptions
        from ccgpu.workflows.run.run_workload import RunMeans

        return RunMeans(
            GuestOptions(backend.channels, wanted.access, wanted.keys),
            means,
            wanted_release(self.runtime, ()).reader,
            allow_loosened=self.allow_loosened,
            line=shown.print_line,
            following=shown.pausing,
            limited=self.progress_options.timeout is not None,
        )


def requested_spec(
    cloud: "AzureContext", target: Target, workload: WorkloadOptions, runtime: Runtime
) -> "VmSpec":
    """The spec of a run: the file given, else that of the last create, and the options over it.

    A workload that is named on the command line takes the place of the one in the last create.
    """
    from ccgpu.store import specs

    def recall(wanted: str) -> "RememberedSpec | None":
        known = cloud.journals.remembered(cloud.subscription, wanted, target.group)
        if known is None or not workload.is_named:
            return known
        values = {key: value for key, value in known.values.items() if key != "workload"}
        given = [path for path in known.given if path.partition(".")[0] != "workload"]
        return replace(known, values=values, given=tuple(given))

    flags = {"workload": workload.values} if workload.values else {}
    read_file = runtime.read_document
    return specs.resolve(
        target.name, file=workload.file, flags=flags, recall=recall, read_file=read_file
    ).spec


def hub_token(spec: "VmSpec") -> str | None:
    """The user's token for the hub: from the environment alone; None if there is none."""
    named = [one.env for one in spec.secrets if one.name == _HUB_SECRET and one.env]
    found = (os.environ.get(name) for name in (*named, _HUB_TOKEN))
    return next((token for token in found if token), None)


def pin(hub: "Hub", lock: Path | None, run: "Run", reference: str) -> "ModelManifest":
    """The manifest of a model: of its lock file, else from the hub."""
    from ccgpu.workflows.pin_model import locked_model

    return locked_model(reference, hub.within(run.deadline), lock, run.listen)


@dataclass(frozen=True, slots=True)
class LogLines:
    """Where the lines of a job's log go: stdout; events; or nowhere, with `-o json` alone."""

    runtime: Runtime
    output: OutputOptions
    progress: "Progress"

    def print_line(self, line: str) -> None:
        """Print one line, or tell it as an event."""
        from ccgpu.domain.events import Event
        from ccgpu.domain.plain_text import one_line

        if self.runtime.progress is not None:
            self.progress(Event("log", self.progress.now, one_line(line)))
        elif self.output == OutputOptions(OutputFormat.TEXT):
            self.runtime.out.out(one_line(line), highlight=False)
            self.runtime.out.file.flush()

    @property
    def pausing(self) -> "Callable[[], AbstractContextManager[None]]":
        """What hides the display of progress meanwhile."""
        return self.progress.paused


def answer_run(
    runtime: Runtime,
    outcome: "RunOutcome",
    output: OutputOptions,
    *,
    streamed: bool,
    created: "Mapping[str, Any] | None" = None,
) -> None:
    """Print how a run went, and exit as it has ended.

    streamed: its log was printed on stdout; then the text goes to stderr. created: the document of
    the create before it.

    Raises:
        CcgpuError: What ccgpu itself has failed in.
        typer.Exit: With the job's exit code.
    """
    from ccgpu.views import run as view
    from ccgpu.views.trimmed import Trimmed

    in_text = output == OutputOptions(OutputFormat.TEXT)
    if in_text and (outcome.plan is None or outcome.started is None):
        pass  # the error says it all
    elif in_text and streamed:
        runtime.attempt(lambda: runtime.err.print(Trimmed(view.as_text(outcome)), crop=False))
    else:
        runtime.answer(
            output, lambda: view.as_text(outcome), lambda: view.as_json(outcome, created)
        )
    if outcome.problem is not None:
        raise outcome.problem
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)
