"""The start of a workload's container, and the check that its server answers right."""

from ccgpu.domain.plain_text import one_line
from ccgpu.domain.run_outcome import StartedContainer
from ccgpu.domain.workload.container import ContainerPlan
from ccgpu.domain.workload.known_answers import CheckAnswer, CheckResult, KnownAnswers
from ccgpu.domain.workload.known_images import KnownImages
from ccgpu.domain.workload.values import HealthCheck
from ccgpu.errors import CcgpuError, WorkloadFailed
from ccgpu.guest.workload_answers import (
    GuestWorkload,
    HttpAnswer,
    OneWorkload,
    WorkloadChecked,
    WorkloadStarted,
)
from ccgpu.guest.workload_requests import (
    CheckWorkload,
    FollowWorkload,
    HttpRequest,
    OutputsOwner,
    StartWorkload,
    StopWorkload,
)
from ccgpu.scheduling.clock import rfc3339
from ccgpu.workflows.run.guest_calls import WorkloadGuest
from ccgpu.workflows.run.request import RunRequest

_PULL = 3600.0  # seconds
_STOP_MARGIN, _LOG = 60.0, 60.0  # seconds
_LONGEST_WAIT, _WAIT_MARGIN = 60.0, 60.0  # seconds that one request waits for health
_ANSWER = 300.0  # seconds for one answer of the server
_LARGEST_ANSWER = 8 << 20  # bytes; a picture
_LAST_LINES = 10
_ENDED, _UNHEALTHY, _WRONG = "ended", "unhealthy", "answers"
STOPPED = (_ENDED, _UNHEALTHY, _WRONG)  # reasons of failures after which it does not run


def start_container(
    guest: WorkloadGuest, request: RunRequest
) -> tuple[StartedContainer, GuestWorkload]:
    """Pull the image, measure what will run, and start it; raises as `WorkloadGuest.ask`."""
    plan = request.plan
    start = StartWorkload(
        name=plan.name,
        image=plan.image,
        options=plan.options,
        arguments=plan.command,
        secrets=tuple(one.name for one in plan.secrets if one.is_mounted),
        files=request.texts,
        model=request.model,
        outputs=None if plan.outputs is None else OutputsOwner(),
        restart=plan.restart,
        os_disk=request.os_disk,
        replace=request.replace,
        pull_seconds=int(_PULL),
    )
    guest.task.tell("begin", f"starting {plan.name}: {plan.image}")
    with guest.in_this_boot():
        done = guest.ask(start, WorkloadStarted, _PULL + _WAIT_MARGIN)
    at = rfc3339(done.started_at)
    started = StartedContainer(done.image_digest, at, done.event, done.pcr13)
    return started, _workload_of(done, plan)


def _workload_of(done: WorkloadStarted, plan: ContainerPlan) -> GuestWorkload:
    return GuestWorkload(
        name=done.name,
        state=done.state,
        exit_code=done.exit_code,
        since=done.since,
        started_at=done.started_at,
        restarts=0,
        image=plan.image,
        image_digest=done.image_digest,
        result="",
    )


def become_healthy(guest: WorkloadGuest, plan: ContainerPlan, health: HealthCheck) -> None:
    """Wait until the server answers its health check; stop it if it does not in time.

    Raises:
        WorkloadFailed: It has ended, or is not healthy in time.
        And as `WorkloadGuest.ask`.
    """
    task = guest.task
    until = task.now() + health.deadline_seconds
    while True:
        left = max(0.0, until - task.now())
        wait = min(left, _LONGEST_WAIT)
        check = CheckWorkload(name=plan.name, port=health.port, health=health.path, wait=wait)
        answer = guest.ask(check, WorkloadChecked, wait + _WAIT_MARGIN)
        if answer.health.status == 200:  # OK
            return
        if answer.workload.has_ended or not left:
            raise _unhealthy(guest, plan, answer.workload, health)
        task.tell("wait", f"{plan.name} is {answer.workload.state}, not healthy yet")
        task.pause(min(float(health.interval_seconds), left), f"waiting for {plan.name}")


def _unhealthy(
    guest: WorkloadGuest, plan: ContainerPlan, seen: GuestWorkload, health: HealthCheck
) -> WorkloadFailed:
    """The error for a server that does not answer; it is stopped, after its log was read."""
    if seen.has_ended:
        what = f"{plan.name} has ended with exit code {seen.exit_code} before it was healthy"
        reason = _ENDED
    else:
        what = f"{plan.name} was not healthy within {health.deadline_seconds} s, and is stopped"
        reason = _UNHEALTHY
    lines = _last_lines(guest, plan.name)
    stop_quietly(guest, plan)
    told = "\n".join([what, *(f"  {one_line(line)}" for line in lines)])
    return WorkloadFailed(told, reason=reason, hint="look at the lines above: they are its last")


def _last_lines(guest: WorkloadGuest, name: str) -> list[str]:
    lines: list[str] = []
    follow = FollowWorkload(name=name, lines=_LAST_LINES, until_end=False)
    try:
        guest.follow(follow, lines.append, _LOG)
    except CcgpuError as err:
        return [f"(its log cannot be read: {err})"]
    return lines[-_LAST_LINES:]


def stop_quietly(guest: WorkloadGuest, plan: ContainerPlan) -> None:
    """Stop a workload that must not go on; if that fails, a note says so."""
    seconds = plan.restart.stop_seconds + _STOP_MARGIN
    try:
        guest.ask(StopWorkload(name=plan.name), OneWorkload, seconds)
    except CcgpuError as err:
        guest.task.note(f"{plan.name} could not be stopped: {err}")


def check_answers(
    guest: WorkloadGuest, plan: ContainerPlan, known: KnownAnswers | KnownImages
) -> CheckResult:
    """Ask the server what is known, and judge its answers.

    Raises as `WorkloadGuest.ask`; wrong answers are a result.
    """
    guest.task.tell("begin", f"checking the answers of {plan.name}")
    asked = known.requests()
    requests = tuple(
        HttpRequest(
            path=one.path,
            method="POST",
            body=dict(one.body),
            timeout=_ANSWER,
            limit=_LARGEST_ANSWER,
        )
        for one in asked
    )
    health = plan.health
    check = CheckWorkload(
        name=plan.name,
        port=known.port,
        health="/health" if health is None else health.path,
        wait=_WAIT_MARGIN,
        requests=requests,
    )
    answer = guest.ask(check, WorkloadChecked, _ANSWER * len(requests) + _WAIT_MARGIN)
    return known.judge([_checked(one) for one in answer.answers])


def _checked(answer: HttpAnswer) -> CheckAnswer:
    return CheckAnswer(answer.status or 0, (answer.body or "").encode(), answer.seconds)


def require_good_answers(guest: WorkloadGuest, plan: ContainerPlan, result: CheckResult) -> None:
    """Stop a server whose answers are wrong or too slow.

    Raises:
        WorkloadFailed: They are.
    """
    if result.is_good:
        return
    stop_quietly(guest, plan)
    told = "\n".join(
        [
            f"{plan.name} does not answer as it should, and is stopped",
            *(f"  {one}" for one in result.problems),
            *(f"  likely cause: {one}" for one in result.causes),
        ]
    )
    raise WorkloadFailed(told, reason=_WRONG)
