"""The set-up of a guest over its boots: which step ran when, and how it ended. Pure.

A step is done once; one that failed, or was cut off by a shutdown, runs again at the next boot. The
step `gpu` looks at the GPU once a boot. Its messages are those of the scripts that real guests run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ccgpu.fakearm.guest_settings import STEPS

PENDING, RUNNING, DONE, SKIPPED, FAILED = "pending", "running", "done", "skipped", "failed"
_ENDED = (DONE, SKIPPED)


class _Switch(NamedTuple):
    """The setting that turns a step off, by this value, and what the step then says."""

    setting: str
    off: str
    message: str


_SWITCHES = {
    "docker": _Switch("CCGPU_DOCKER", "0", "docker is off"),
    "container-toolkit": _Switch("CCGPU_CONTAINER_TOOLKIT", "0", "the container toolkit is off"),
    "openssl": _Switch("CCGPU_OPENSSL", "0", "the OpenSSL speed fix is off"),
    "temp-disk": _Switch("CCGPU_TEMP_DISK", "none", "the temporary disk is left as it is"),
    "lockdown": _Switch("CCGPU_LOCKDOWN", "0", "lockdown is off"),
}


class SetupAttempt(NamedTuple):
    """One run of the set-up's service, from `began` until `until` (None: to the end).

    settings: the settings of guests that it ran under. boot: the number of the boot. fits: whether
    the driver's modules for the kernel of that boot are there. has_gpu: whether the VM has a GPU.
    again: whether finished steps run again too.
    """

    began: float
    until: float | None
    settings: Mapping[str, Any]
    boot: int
    fits: bool = True
    has_gpu: bool = True
    again: bool = False


@dataclass(frozen=True, slots=True)
class StepRun:
    """How far one step came. Times in Unix seconds; `boot`: in which boot it ran last."""

    step: str
    state: str = PENDING
    exit_code: int | None = None
    message: str = ""
    began: float | None = None
    ended: float | None = None
    boot: int | None = None


@dataclass(frozen=True, slots=True)
class SetupRun:
    """All steps, in order.

    lines: what the service printed, with the times. repaired: the steps that ran to their end
    when all of them ran again. last: when the last run began; None before the first. ends: when
    each run that was not cut off ended, and in which boot.
    """

    steps: tuple[StepRun, ...]
    lines: tuple[tuple[float, str], ...] = ()
    repaired: frozenset[str] = frozenset()
    last: float | None = None
    ends: tuple[tuple[float, int], ...] = ()

    @property
    def state(self) -> str:
        """`running`, `done` or `failed`, as in the status file.

        A step after the current one may have failed in an earlier run: `gpu` is looked at first.
        """
        states = {one.step: one.state for one in self.steps}
        now = states[self.current]
        return now if now == FAILED else DONE if now in _ENDED else RUNNING

    @property
    def current(self) -> str:
        """The step that runs, waits to run, or has failed; the last one when all are done."""
        open_ = [one.step for one in self.steps if one.state not in _ENDED]
        return open_[0] if open_ else self.steps[-1].step

    def is_done(self, step: str) -> bool:
        """Whether that step was carried out."""
        return self.boot_of(step) is not None

    def boot_of(self, step: str) -> int | None:
        """The number of the boot in which that step was carried out; None if it was not."""
        return next((one.boot for one in self.steps if (one.step, one.state) == (step, DONE)), None)


def run_setup(
    wanted: Mapping[str, str],
    attempts: Sequence[SetupAttempt],
    now: float,
    durations: Mapping[str, float],
) -> SetupRun:
    """The set-up as it stands `now`. wanted: the set-up's own settings file."""
    run = SetupRun(tuple(StepRun(name) for name in STEPS))
    for attempt in attempts:
        if attempt.began <= now:
            run = _run_attempt(run, wanted, attempt, now, durations)
    return run


def _run_attempt(
    run: SetupRun,
    wanted: Mapping[str, str],
    attempt: SetupAttempt,
    now: float,
    durations: Mapping[str, float],
) -> SetupRun:
    steps = {one.step: one for one in run.steps}
    for name in STEPS:
        seen = name == "gpu" and steps[name].boot != attempt.boot
        if attempt.again or (seen and steps[name].state == DONE):
            steps[name] = StepRun(name)
    lines, repaired, ends = list(run.lines), set(run.repaired), run.ends
    until = now if attempt.until is None else min(now, attempt.until)
    at = attempt.began
    for name in (one for one in STEPS if steps[one].state not in _ENDED):
        seconds = durations["guest.driver" if name == "driver" else "guest.step"]
        steps[name] = _run_step(name, wanted, attempt, at, seconds, frozenset(repaired))
        if (steps[name].ended or at) > until:
            steps[name] = StepRun(name, RUNNING, began=at, boot=attempt.boot)
        lines += _lines(steps[name], at, seconds)
        at = steps[name].ended or at
        if steps[name].state not in _ENDED:
            ends += ((at, attempt.boot),) if steps[name].state == FAILED else ()
            break
        repaired |= {name} if attempt.again else set()
    else:
        lines.append((at, "done"))
        ends += ((at, attempt.boot),)
    ended = tuple(steps[name] for name in STEPS)
    return SetupRun(ended, tuple(lines), frozenset(repaired), attempt.began, ends)


def _run_step(
    name: str,
    wanted: Mapping[str, str],
    attempt: SetupAttempt,
    at: float,
    seconds: float,
    repaired: frozenset[str],
) -> StepRun:
    switch = _SWITCHES.get(name)
    if switch is not None and wanted.get(switch.setting) == switch.off:
        return StepRun(name, SKIPPED, None, switch.message, at, at, attempt.boot)
    code, message = _failure(name, attempt, repaired)
    state = FAILED if code else DONE
    return StepRun(name, state, code, message, at, at + seconds, attempt.boot)


def _lines(step: StepRun, at: float, seconds: float) -> list[tuple[float, str]]:
    name, begin = step.step, (at, f"step {step.step}: begin")
    end = step.ended or at
    match step.state:
        case "skipped":
            return [begin, (end, f"step {name}: skipped: {step.message}")]
        case "done":
            return [begin, (end, f"step {name}: done ({seconds:.0f} s)")]
        case "failed":
            told = f"step {name}: failed (exit {step.exit_code}): {step.message}"
            return [begin, (end, told), (end, f"failed at {name}")]
        case _:
            return [begin]


class _Cause(NamedTuple):
    """Why a step fails in the runs of the service that it `applies` to, given what is repaired."""

    step: str
    applies: Callable[[SetupAttempt, frozenset[str]], bool]
    exit_code: int
    message: str


_CAUSES = (
    _Cause(
        "kernel",
        lambda run, _: bool(run.settings["disk_full"]),
        100,
        "E: You don't have enough free space in /var/cache/apt/archives/.",
    ),
    _Cause(
        "driver",
        lambda run, _: not run.has_gpu or run.settings["gpu"] == "missing",
        1,
        "modprobe: ERROR: could not insert 'nvidia': No such device",
    ),
    _Cause(
        "gpu",
        lambda run, repaired: not run.fits and "kernel" not in repaired,
        1,
        "nvidia-persistenced.service is not active",
    ),
    _Cause(
        "gpu",
        lambda run, repaired: run.settings["newer_userspace"] and "driver" not in repaired,
        1,
        "nvidia-smi --query-gpu=driver_version --format=csv,noheader: Failed to initialize NVML: "
        "Driver/Library version mismatch NVML library version: 595.91",
    ),
    _Cause(
        "gpu",
        lambda run, _: bool(run.settings["gpu"] == "off"),
        1,
        "nvidia-smi conf-compute -f: want CC status: ON, found CC status: OFF",
    ),
    _Cause(
        "gpu",
        lambda run, _: bool(run.settings["gpu"] == "devtools"),
        1,
        "nvidia-smi conf-compute -d: want DevTools Mode: OFF, found DevTools Mode: ON",
    ),
)


def _failure(step: str, attempt: SetupAttempt, repaired: frozenset[str]) -> tuple[int, str]:
    """Exit code and last line of a step in this run of the service; 0 and nothing for success."""
    fails = attempt.settings["setup_fails"]
    if fails and fails["step"] == step:
        return fails["exit_code"], fails["message"]
    causes = (one for one in _CAUSES if one.step == step and one.applies(attempt, repaired))
    return next(((one.exit_code, one.message) for one in causes), (0, ""))
