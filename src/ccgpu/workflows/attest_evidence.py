"""`attest --evidence`: a verdict on evidence that came by other means, with fresh collateral.

It is judged as `verify` judges, by the nonce, vmId and host key that this machine recorded or the
user states. There is no channel, so nothing in the VM is changed, and no host key is attested.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ccgpu.attest import required_collateral
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.evidence import CallerCollateral, Evidence
from ccgpu.scheduling.deadline import Deadline
from ccgpu.scheduling.scheduler import Scheduler
from ccgpu.store import evidence as files
from ccgpu.workflows.attest import AttestMeans, fetch_all_collateral
from ccgpu.workflows.guest_task import GuestTask
from ccgpu.workflows.verify import VerifyRequest, VerifyResult, verify


def attest_evidence(
    scheduler: Scheduler,
    means: AttestMeans,
    request: VerifyRequest,
    state: Path,
    timeout: float,
    listen: Listener = ignore_event,
) -> VerifyResult:
    """Read evidence, fetch its collateral, and appraise it as of now.

    request: what the user states; time, policy and collateral are filled in here. state: the state
    folder. timeout: seconds for the collateral.

    Raises:
        InvalidFile: The file is in no known format, damaged, or beyond a bound.
        EvidenceUnavailable: There is no verdict, because the evidence does not name its collateral.
        TimedOut: The time limit passed.
    """
    deadline = Deadline.after(scheduler.clock, timeout)
    task = GuestTask(str(request.path), scheduler, deadline, listen)
    read = files.read_evidence(request.path, request.format_)
    if means.simulated:
        read = replace(read, simulated_roots=means.simulated_roots())
    brought = replace(read, given=CallerCollateral())
    found, cause = fetch_all_collateral(task, brought, means)
    completed = required_collateral.add_collateral(brought, found)
    asked = replace(
        request,
        at=datetime.fromtimestamp(task.wall(), UTC),
        loaded=(means.policy, means.origin),
        simulated=means.simulated,
        read=read,
        values=None if means.pins is None else means.pins.values,
        measured=means.image,
        record=means.record,
        given=Evidence("folder", given=completed.given),
    )
    result = verify(asked, state)
    if cause is not None and result.appraisal.verdict != "rejected":
        raise cause  # what was refused before the verdict never becomes milder
    return result
