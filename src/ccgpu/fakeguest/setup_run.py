"""The set-up of a guest over its boots: which step ran when, and how it ended. Pure.

A step is done once; one that failed, or was cut off by a shutdown, runs again at the next boot. The
step `gpu` looks at the GPU once a boot.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ccgpu.fakearm.guest_settings import STEPS

PENDING, RUNNING, DONE, SKIPPED, FAILED = "pending", "running", "done", "skipped", "failed"
_ENDED = (DONE, SKIPPED)
# The setting that turns a step off, and the value that does so.
_SKIPPED_BY = {
    "docker": ("CCGPU_DOCKER", "0"),
    "container-toolkit": ("CCGPU_CONTAINER_TOOLKIT", "0"),
    "openssl": ("CCGPU_OPENSSL", "0"),
    "temp-disk": ("CCGPU_TEMP_DISK", "none"),
    "lockdown": ("CCGPU_LOCKDOWN", "0"),
}

# What nvidia-smi prints without a usable driver.
NOT_LOADED = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that "
    "the latest NVIDIA driver is installed and running."
)
MISMATCH = "Failed to initialize NVML: Driver/Library version mismatch"


class Attempt(NamedTuple):
    """One run of the set-up's service, from `began` until `until` (None: to the end).

    settings: the settings of guests that it ran under. boot: the number of the boot. modules:
    whether the kernel of that boot has the driver's modules, or can be given them.
    """

    began: float
    until: float | None
    settings: Mapping[str, Any]
    boot: int
    modules: bool = True


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
    """All steps, in order. lines: what the service printed, with the times."""

    steps: tuple[StepRun, ...]
    lines: tuple[tuple[float, str], ...]

    @property
    def state(self) -> str:
        """`running`, `done` or `failed`, as in the status file."""
        states = {one.state for one in self.steps}
        if FAILED in states:
            return FAILED
        return DONE if states <= set(_ENDED) else RUNNING

    @property
    def current(self) -> str:
        """The step that runs, waits to run, or has failed; the last one when all are done."""
        open_ = [one.step for one in self.steps if one.state not in _ENDED]
        return open_[0] if open_ else self.steps[-1].step

    def boot_of(self, step: str) -> int | None:
        """The number of the boot in which that step was carried out; None if it was not."""
        return next((one.boot for one in self.steps if (one.step, one.state) == (step, DONE)), None)

    def is_done(self, step: str) -> bool:
        """Whether that step was carried out."""
        return any(one.step == step and one.state == DONE for one in self.steps)


def run_setup(
    wanted: Mapping[str, str],
    attempts: Sequence[Attempt],
    now: float,
    durations: Mapping[str, float],
) -> SetupRun:
    """The set-up as it stands `now`. wanted: the set-up's own settings file."""
    steps = {name: StepRun(name) for name in STEPS}
    lines: list[tuple[float, str]] = []
    for attempt in attempts:
        if attempt.began <= now:
            _run_attempt(steps, lines, wanted, attempt, now, durations)
    return SetupRun(tuple(steps.values()), tuple(lines))


def _run_attempt(
    steps: dict[str, StepRun],
    lines: list[tuple[float, str]],
    wanted: Mapping[str, str],
    attempt: Attempt,
    now: float,
    durations: Mapping[str, float],
) -> None:
    if steps["gpu"].state == DONE and steps["gpu"].boot != attempt.boot:
        steps["gpu"] = StepRun("gpu")
    until = now if attempt.until is None else min(now, attempt.until)
    at = attempt.began
    for name in (one for one in STEPS if steps[one].state not in _ENDED):
        setting, off = _SKIPPED_BY.get(name, ("", None))
        if wanted.get(setting) == off and off is not None:
            why = f"{setting} is {off}"
            steps[name] = StepRun(name, SKIPPED, None, why, at, at, attempt.boot)
            lines.append((at, f"step {name}: skipped: {why}"))
            continue
        lines.append((at, f"step {name}: begin"))
        seconds = durations["guest.driver" if name == "driver" else "guest.step"]
        if at + seconds > until:
            steps[name] = StepRun(name, RUNNING, began=at, boot=attempt.boot)
            return
        code, message = failure_of(name, attempt)
        state = FAILED if code else DONE
        steps[name] = StepRun(name, state, code, message, at, at + seconds, attempt.boot)
        at += seconds
        if code:
            lines.append((at, f"step {name}: failed (exit {code}): {message}"))
            lines.append((at, f"failed at {name}"))
            return
        lines.append((at, f"step {name}: done ({seconds:.0f} s)"))
    lines.append((at, "done"))


class _Cause(NamedTuple):
    """Why a step fails in the runs of the service that it `applies` to."""

    step: str
    applies: Callable[[Attempt], bool]
    exit_code: int
    message: str


_CAUSES = (
    _Cause(
        "kernel",
        lambda run: bool(run.settings["disk_full"]),
        100,
        "E: You don't have enough free space in /var/cache/apt/archives/.",
    ),
    _Cause(
        "driver",
        lambda run: bool(run.settings["gpu"] == "missing"),
        1,
        "modprobe: ERROR: could not insert 'nvidia': No such device",
    ),
    _Cause("gpu", lambda run: not run.modules, 9, NOT_LOADED),
    _Cause("gpu", lambda run: bool(run.settings["gpu"] == "off"), 1, "CC status: OFF"),
    _Cause(
        "gpu",
        lambda run: bool(run.settings["newer_userspace"]),
        18,
        MISMATCH,
    ),
)


def failure_of(step: str, attempt: Attempt) -> tuple[int, str]:
    """Exit code and last line of a step in this run of the service; 0 and nothing for success."""
    settings = attempt.settings
    fails = settings["setup_fails"]
    if fails and fails["step"] == step:
        return fails["exit_code"], fails["message"]
    causes = (one for one in _CAUSES if one.step == step and one.applies(attempt))
    return next(((one.exit_code, one.message) for one in causes), (0, ""))
