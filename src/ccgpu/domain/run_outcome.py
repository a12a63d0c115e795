"""What a `ccgpu run` has come to: the document `ccgpu.run/1` and the exit code follow from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ccgpu.domain.workload.container import ContainerPlan
from ccgpu.domain.workload.known_answers import CheckResult
from ccgpu.errors import CcgpuError

HEALTHY = "healthy"


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """The verdict of this run. at: RFC 3339. bundle: the path of the recorded evidence."""

    verdict: str
    policy: str
    at: str
    bundle: str | None
    simulated: bool


@dataclass(frozen=True, slots=True)
class StartedContainer:
    """A container that was started. started_at: RFC 3339.

    image_digest: `sha256:…`, as found in the VM. event: the line that was measured. pcr13: 64 hex
    digits, after the event. Both are None if an earlier run has started it.
    """

    image_digest: str
    started_at: str
    event: str | None = None
    pcr13: str | None = None


@dataclass(frozen=True, slots=True)
class FetchedOutputs:
    """Files that were fetched into a folder of this machine, by their paths below it: bytes."""

    folder: str
    files: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How far a run came.

    name: the deployment's. plan: None before it was made. verdict: None before there was one.
    released, kept: names of secrets that this run has released, and of those that were in the VM
    already. started: None before the container was. state: the workload's last known one; `healthy`
    for a server whose answers are right. check: what its answers were. job_exit_code: of the
    container's program; None unless it has ended by itself. outputs: None if none were asked for.
    deleted: whether the deployment is gone. problem: why the run did not do what it should.
    """

    name: str
    plan: ContainerPlan | None = None
    verdict: RunVerdict | None = None
    released: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    started: StartedContainer | None = None
    state: str | None = None
    check: CheckResult | None = None
    job_exit_code: int | None = None
    outputs: FetchedOutputs | None = None
    deleted: bool = False
    problem: CcgpuError | None = None

    @property
    def exit_code(self) -> int:
        """That of ccgpu's own failure, else that of the job, else 0."""
        if self.problem is not None:
            return self.problem.exit_code
        return self.job_exit_code or 0

    @property
    def cause(self) -> dict[str, Any] | None:
        """Why the run did not do what it should: the error's code, message and exit code."""
        if self.problem is None:
            return None
        err = self.problem
        return {"code": err.code, "message": str(err), "exit_code": err.exit_code}
