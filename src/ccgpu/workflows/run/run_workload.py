"""`run`: prove the VM, release secrets to it, start a container there, and check what it does.

Nothing of the user's reaches the VM before the verdict of this very run: no secret, no input. The
outcome says how far the run came; an error is part of it, and no exception.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from math import inf

from ccgpu.attest.attestation import Attestation
from ccgpu.azure.run import Run
from ccgpu.domain import time_limits
from ccgpu.domain.desired import Names
from ccgpu.domain.run_outcome import HEALTHY, RunOutcome, RunVerdict, StartedContainer
from ccgpu.domain.workload.values import WorkloadKind
from ccgpu.domain.workload_record import WorkloadRecord
from ccgpu.errors import CcgpuError, InternalError, Interrupted, WorkloadFailed
from ccgpu.guest.workload_answers import GuestWorkload
from ccgpu.scheduling.clock import rfc3339
from ccgpu.store.secret_sources import SecretReader
from ccgpu.store.workload_records import WorkloadRecords
from ccgpu.workflows.attest import AttestMeans
from ccgpu.workflows.guest_access import GuestOptions
from ccgpu.workflows.guest_task import GuestTask
from ccgpu.workflows.proven import ProvenGuest
from ccgpu.workflows.record_names import record_name_of
from ccgpu.workflows.release import proven_guest
from ccgpu.workflows.run.following import LogFollower
from ccgpu.workflows.run.guest_calls import WorkloadGuest
from ccgpu.workflows.run.outputs import fetch_outputs
from ccgpu.workflows.run.preparing import (
    fetch_model,
    find_started,
    prepare_files,
    release_secrets,
    require_free_name,
)
from ccgpu.workflows.run.request import RunRequest
from ccgpu.workflows.run.starting import (
    STOPPED,
    become_healthy,
    check_answers,
    require_good_answers,
    start_container,
)

TIMEOUT = time_limits.RUN
_GATE = 900.0  # seconds in which the VM has to be reached, and proven


@dataclass(frozen=True, slots=True)
class RunMeans:
    """What a run needs besides the request.

    guest: the way to the VM. attest: what proves it. reader: reads secrets here. allow_loosened:
    whether a policy that asks for less than `default` will do. line: called with each line of the
    job's log. following: opened while that is streamed. limited: whether the command's time limit
    is also that of the job.
    """

    guest: GuestOptions
    attest: AttestMeans
    reader: SecretReader
    allow_loosened: bool = False
    line: Callable[[str], None] = lambda _: None
    following: Callable[[], AbstractContextManager[None]] = nullcontext
    limited: bool = False


def run_workload(run: Run, names: Names, request: RunRequest, means: RunMeans) -> RunOutcome:
    """Carry out a run; what went wrong is the outcome's `problem`.

    1. Prove the VM, and release the secrets that it lacks.
    2. Copy the inputs, and let the VM fetch the model.
    3. Start the container.
    4. Of a server: wait for its health, and check its answers. Of a job: wait for its end, if
       that is wanted, and fetch its outputs.
    """
    under_way = _RunUnderWay(run, names, request, means)
    try:
        under_way.carry_out()
    except CcgpuError as err:
        under_way.change(problem=err)
    except Exception as err:  # noqa: BLE001  # a bug must not keep a VM from being deleted
        under_way.change(problem=InternalError.of(err))
    except KeyboardInterrupt:
        under_way.change(problem=under_way.interrupted())
    return under_way.outcome


class _RunUnderWay:
    """One run, and its outcome so far."""

    def __init__(self, run: Run, names: Names, request: RunRequest, means: RunMeans) -> None:
        self._run, self._names, self._request, self._means = run, names, request, means
        self._plan = request.plan
        self.outcome = RunOutcome(names.deployment, request.plan)

    def change(self, **members: object) -> None:
        """Note a part of the outcome."""
        self.outcome = replace(self.outcome, **members)  # type: ignore[arg-type]  # its own fields

    def carry_out(self) -> None:
        """Carry out all steps; raises what any of them raises."""
        means, loosened = self._means, self._means.allow_loosened
        run = self._run
        in_time = run.with_timeout(run.deadline.at_most(_GATE, "proving the VM"))
        gate = proven_guest(
            in_time,
            self._names,
            means.guest,
            means.attest,
            allow_loosened=loosened,
            seen=self._note_verdict,
        )
        with gate as proven:
            self._carry_out_in(proven)

    def _note_verdict(self, judged: Attestation) -> None:
        appraisal = judged.appraisal
        at = rfc3339(appraisal.at.timestamp())
        policy = self._means.attest.used_for(judged).policy_name
        made = RunVerdict(appraisal.verdict, policy, at, judged.bundle, appraisal.simulated)
        self.change(verdict=made)

    def _carry_out_in(self, proven: ProvenGuest) -> None:
        """Start the workload in a VM that was proven, or go on with it, up to its end."""
        request = self._request
        task = GuestTask.of_deployment(self._run, self._names)
        guest = WorkloadGuest(task, proven.channel, proven.attestation.boot_id)
        seen = find_started(guest, request, self._recorded())
        if seen is not None:
            task.note(f"{seen.name} was started already: this goes on with it")
            started = StartedContainer(seen.image_digest, rfc3339(seen.started_at))
        else:
            require_free_name(guest, request)
            released, kept = release_secrets(proven, request, self._means.reader)
            self.change(released=released, kept=kept)
            prepare_files(guest, request)
            fetch_model(guest, request)
            started, seen = start_container(guest, request)
        self.change(started=started, state=seen.state)
        self._record(guest, started)
        if self._plan.kind is WorkloadKind.JOB:
            self._finish_job(guest, seen, started)
        else:
            self._check_server(guest)

    def _recorded(self) -> WorkloadRecord | None:
        cloud = self._run.cloud
        records = WorkloadRecords(cloud.journals.folder)
        found = records.find(cloud.subscription, record_name_of(cloud, self._names))
        return found.get(self._plan.name)

    def _record(
        self, guest: WorkloadGuest, started: StartedContainer, *, ended: bool = False
    ) -> None:
        plan = self._plan
        record = WorkloadRecord(
            plan.name,
            plan.kind.value,
            plan.ports,
            guest.boot_id or "",
            started.started_at,
            self._request.section,
            ended,
        )
        cloud = self._run.cloud
        records = WorkloadRecords(cloud.journals.folder)
        records.record(cloud.subscription, record_name_of(cloud, self._names), record)

    def _check_server(self, guest: WorkloadGuest) -> None:
        plan = self._plan
        try:
            if plan.health is not None:
                become_healthy(guest, plan, plan.health)
            if plan.known_answers is not None:
                result = check_answers(guest, plan, plan.known_answers)
                self.change(check=result)
                require_good_answers(guest, plan, result)
        except WorkloadFailed as err:
            if err.reason in STOPPED:
                self.change(state="stopped")
            raise
        if plan.health is not None:
            self.change(state=HEALTHY)

    def _finish_job(
        self, guest: WorkloadGuest, seen: GuestWorkload, started: StartedContainer
    ) -> None:
        if not self._means.limited:  # a job may take days, and then its outputs are fetched
            task = replace(guest.task, deadline=guest.task.deadline.extended(inf))
            guest = replace(guest, task=task)
        if self._request.wait:
            follower = LogFollower(guest, self._plan.name, seen.started_at, self._means.line)
            with self._means.following():
                seen = follower.until_end(self._time_for_job())
        self.change(state=seen.state, job_exit_code=seen.exit_code)
        if seen.has_ended:
            self._record(guest, started, ended=True)
        folder = self._request.output_dir
        if folder is not None and seen.has_ended:
            self.change(outputs=fetch_outputs(guest, self._plan.name, folder))

    def _time_for_job(self) -> float | None:
        if not self._means.limited:
            return None
        return self._run.deadline.at_most(inf, f"waiting for {self._plan.name}")

    def interrupted(self) -> Interrupted:
        """The error for Ctrl-C: a container that was started goes on."""
        name, workload = self._names.deployment, self._plan.name
        if self.outcome.started is None:
            return Interrupted(f"interrupted: {workload} was not started")
        return Interrupted(
            f"interrupted: {workload} goes on in the VM",
            hint=f"`ccgpu logs {name} --workload {workload} --follow` shows it, "
            f"`ccgpu run {name} --stop {workload}` stops it",
        )
