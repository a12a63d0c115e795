"""Ask the guest for its state, and wait until it is ready."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache, partial

from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.resource import Body, ResourceId, name_of
from ccgpu.errors import ConnectionLost, GuestNotReady, GuestUnreachable, TimedOut
from ccgpu.guest import probe
from ccgpu.guest.channel import CommandRunner
from ccgpu.guest.expectations import expectations_of
from ccgpu.guest.readiness import (
    GuestCheck,
    GuestExpectations,
    GuestState,
    assess_guest,
    deciding_check,
)
from ccgpu.guest.report import GuestReport, read_report
from ccgpu.net.retry import poll_delay
from ccgpu.scheduling.durations import in_words
from ccgpu.scheduling.scheduler import Task
from ccgpu.workflows.access_memory import record_access
from ccgpu.workflows.fresh_evidence import read_boot_id
from ccgpu.workflows.guest_access import GuestOptions, find_guest_to_probe, has_address
from ccgpu.workflows.guest_task import GuestTask
from ccgpu.workflows.measured_deployment import is_measured

# Seconds. Microsoft's set-up takes up to half an hour (az-cgpu-onboarding).
SETUP_TIMEOUT = 2700.0
# How long sshd may be unreachable at a stretch: it is, while the VM boots and reboots.
UNREACHABLE_TIMEOUT = 600.0
# How long a check may fail once the set-up is done: after a boot the driver needs its time.
SETTLE_TIME = 180.0
# In which the serial log shows the host key: cloud-init prints it when it has ended, and the log is
# a few seconds behind.
_KEY_TIMEOUT = 300.0
_LOG_LINES = 5


def probe_guest(channel: CommandRunner) -> GuestReport:
    """Probe the guest once.

    Raises:
        GuestNotReady: The probe did not run, or its answer cannot be read.
        GuestUnreachable, HostKeyMismatch, ConnectionLost, TimedOut: As `Channel` says.
    """
    done = channel.run(probe.command_line(), probe.script(), timeout=probe.TIMEOUT)
    if done.exit_code != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise GuestNotReady(f"the guest cannot be probed (exit {done.exit_code}): {lines[-1]}")
    return read_report(probe.parse(done.stdout))


class _Patience:
    """Seconds since something began to be the case at a stretch."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._since: dict[str, float] = {}

    def lasts(self, what: str) -> float:
        """How long `what` has been the case; anything else has ended."""
        now = self._run.cloud.now()
        self._since = {what: self._since.get(what, now)}
        return now - self._since[what]


def look_until_ready(run: Run, names: Names, vm: Body, options: GuestOptions, verb: str) -> bool:
    """Wait until the guest of a VM is ready; returns whether it could be looked at.

    A VM of an older ccgpu, whose first boot is not known, counts as looked at. One without an
    address that is reachable from here does not; a note names the options of `ccgpu VERB` for it.
    In a measured image nothing is set up: it is ready once its sshd answers. The way that has led
    to the VM is recorded.

    Raises: As `wait_until_ready`.
    """
    measured = is_measured(run.cloud, names, vm)
    wanted = None if measured else expectations_of(vm)
    if wanted is None and not measured:
        return True
    if not options.access.by_private_address and not has_address(run, vm, options.access):
        command = f"ccgpu {verb} {names.deployment}"
        run.tell(
            "note",
            f"the guest of {names.deployment} is not checked, because it has no public address: "
            f"`{command} --jump USER@HOST` or `{command} --reachable` checks it",
        )
        return False
    run.tell("begin", "set up", names.vm, Kind.VM, "set up")
    target = find_guest_to_probe(run, names, vm, options.access, options.keys, _KEY_TIMEOUT)
    way = (names.deployment, options.access, names.group)
    reached = cache(partial(record_access, run.cloud, *way))  # at the first answer alone
    if wanted is None:
        _wait_until_it_answers(run, names, options.channels(target))
        reached()
        return True
    run_task(run, wait_until_ready(run, names.vm, options.channels(target), wanted, reached))
    return True


def _wait_until_it_answers(
    run: Run, names: Names, channel: AbstractContextManager[CommandRunner]
) -> None:
    """Connect; nothing but a script that ships with ccgpu is sent, for the key may be anybody's."""
    task = replace(GuestTask.of_deployment(run, names), patience=UNREACHABLE_TIMEOUT)
    with channel as opened:
        task.reach(partial(read_boot_id, opened))


def wait_until_ready(
    run: Run,
    vm: ResourceId,
    channel: AbstractContextManager[CommandRunner],
    wanted: GuestExpectations,
    reached: Callable[[], None] = lambda: None,
) -> Task[GuestReport]:
    """Probe the guest until it is ready; returns its last report. `reached`: it has answered.

    A failed set-up ends the wait at once. Any other failed check may still come right for a while.

    Raises:
        GuestNotReady: A check failed, or the time is over; the message names the step.
        HostKeyMismatch: The VM shows another host key.
        TimedOut: The command's own time limit has passed.
    """
    patience = _Patience(run)

    def waiting_for(check: GuestCheck, report: GuestReport) -> str:
        reached()
        return _not_yet(check, report, vm, patience)

    with channel as opened:
        report = yield from _poll(run, vm, opened, wanted, waiting_for)
    reached()
    return report


def wait_while_working(
    run: Run, vm: ResourceId, channel: CommandRunner, wanted: GuestExpectations
) -> Task[GuestReport]:
    """Probe the guest until nothing works on it any more; its checks may have failed.

    Raises: As `wait_until_ready`, but for failed checks.
    """

    def waiting_for(check: GuestCheck, _: GuestReport) -> str | None:
        return _told(check) if check.state is GuestState.WORKING else None

    return (yield from _poll(run, vm, channel, wanted, waiting_for))


# What is waited for, from a check that is not good and its report; None: nothing.
Judge = Callable[[GuestCheck, GuestReport], str | None]


def _poll(
    run: Run, vm: ResourceId, channel: CommandRunner, wanted: GuestExpectations, judge: Judge
) -> Task[GuestReport]:
    """Probe the guest, with pauses, until all checks are good or `judge` waits for nothing.

    1. Wait until the guest answers: sshd is down while the VM boots.
    2. While cloud-init and the set-up work, tell their step.
    """
    began, polls = run.cloud.now(), 0
    patience = _Patience(run)
    while True:
        try:
            report: GuestReport = yield run.call(partial(probe_guest, channel), "probing the guest")
        except (GuestNotReady, TimedOut) as err:
            waiting_for = _no_answer(err, vm, patience)
        else:
            patience = _Patience(run)
            check = deciding_check(assess_guest(report, wanted))
            told = None if check is None else judge(check, report)
            if told is None:
                return report
            waiting_for = told
        if run.cloud.now() - began >= SETUP_TIMEOUT:
            raise GuestNotReady(
                f"the guest of {name_of(vm)} is not ready after {in_words(SETUP_TIMEOUT)}: "
                f"step {waiting_for}"
            )
        run.tell("wait", waiting_for, vm, Kind.VM)
        doing = f"waiting for the guest of {name_of(vm)} (step {waiting_for})"
        yield from run.pause(poll_delay(polls, None), doing)
        polls += 1


def _told(check: GuestCheck) -> str:
    return f"{check.step}: {check.message}"


def _no_answer(err: GuestNotReady | TimedOut, vm: ResourceId, patience: _Patience) -> str:
    """What is waited for; raises an error if it is final, or has lasted too long.

    While cloud-init runs, the user may log in before sudo works.
    """
    if isinstance(err, GuestUnreachable) and not err.transient:
        raise err
    if not isinstance(err, GuestUnreachable | ConnectionLost | TimedOut):
        if patience.lasts("probe") >= SETTLE_TIME:
            raise err
        return f"ssh: {err}"
    if patience.lasts("ssh") >= UNREACHABLE_TIMEOUT:
        raise GuestUnreachable(
            f"the guest of {name_of(vm)} did not answer for {in_words(UNREACHABLE_TIMEOUT)} "
            f"(step ssh): {err}",
            hint=err.hint or f"`ccgpu logs {name_of(vm)} --serial` shows the console",
        ) from err
    return "ssh: does not answer yet"


def _not_yet(check: GuestCheck, report: GuestReport, vm: ResourceId, patience: _Patience) -> str:
    """What is waited for; raises an error if the check has failed for good."""
    told = _told(check)
    lasted = patience.lasts(f"{check.step} {check.state}")
    if check.state is GuestState.WORKING:
        return told
    is_final = report.setup is not None and report.setup.state == "failed"
    if is_final or lasted >= SETTLE_TIME:
        raise failed_check_error(vm, check, report)
    return told


def failed_check_error(vm: ResourceId, check: GuestCheck, report: GuestReport) -> GuestNotReady:
    """The error for a failed check: its step, the end of the set-up's log, and what to do."""
    name = name_of(vm)
    log = "".join(f"\n  {line}" for line in report.log[-_LOG_LINES:])
    return GuestNotReady(
        f"the guest of {name} is not ready: step {check.step}: {check.message}{log}",
        hint=None if check.remedy is None else check.remedy.format(name=name),
    )
