"""The workloads of a guest in its present boot: what is stored of them, and their state now.

The state follows from the start, the program's script and the virtual time. All of them go with the
boot; images stay.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ccgpu.fakeguest.guest import SimulatedGuest

_RUNS, _IMAGES, _FOLDERS = "workloads", "images", "workload-folders"


@dataclass(frozen=True, slots=True)
class WorkloadRun:
    """A workload that was started. Times: Unix seconds.

    request: the document that asked for it. began: when the container started, or will. seconds:
    how long its program runs; None: without end. healthy_after: seconds until its server answers;
    None: never. fault: what goes wrong. lines: its log, with seconds from the start. outputs: the
    files that it writes when it ends (base64), by path below its folder. written: whether it has.
    attempts: how often it is started again if it fails, each time after `delay` seconds.
    """

    name: str
    request: Mapping[str, Any]
    image: str
    image_digest: str
    began: float
    seconds: float | None
    exit_code: int
    healthy_after: float | None
    fault: str
    lines: tuple[tuple[float, str], ...]
    outputs: Mapping[str, str]
    attempts: int = 0
    delay: float = 0.0
    stopped: float | None = None
    written: bool = False

    def state(self, now: float) -> "RunState":
        """The state at this time."""
        if self.stopped is not None:
            return RunState("stopped", self.exit_code or None, self.stopped)
        if now < self.began:
            return RunState("starting", None, now)
        if self.seconds is None or now < self.began + self.seconds:
            return RunState("running", None, self.began)
        if self.attempts and self.exit_code:
            return self._restarted(now, self.seconds)
        end = self.began + self.seconds
        result = "exit-code" if self.exit_code else "success"
        return RunState("failed" if self.exit_code else "exited", self.exit_code, end, 0, result)

    def _restarted(self, now: float, seconds: float) -> "RunState":
        """The state of a program that is started again each time it fails."""
        cycle, last = seconds + self.delay, self.attempts
        number, within = divmod(now - self.began, cycle)
        if number > last or (number == last and within >= seconds):
            end = self.began + last * cycle + seconds
            return RunState("failed", self.exit_code, end, last, "start-limit-hit")
        since = self.began + number * cycle
        if within < seconds:
            return RunState("running", None, since, int(number))
        return RunState("restarting", self.exit_code, since + seconds, int(number), "exit-code")

    @property
    def end(self) -> float | None:
        """When it has ended for good, or will; None: never."""
        if self.stopped is not None or self.seconds is None:
            return self.stopped
        if not (self.attempts and self.exit_code):
            return self.began + self.seconds
        return self.state(float(1 << 40)).since

    def is_healthy(self, now: float) -> bool:
        """Whether its server answers at this time."""
        running = self.state(now).name == "running"
        after = self.healthy_after
        return running and after is not None and now >= self.began + after

    def log(self, now: float) -> list[str]:
        """The lines that it has printed up to this time."""
        until = now if self.stopped is None else min(now, self.stopped)
        return [line for after, line in self.lines if self.began + after <= until]


@dataclass(frozen=True, slots=True)
class RunState:
    """A workload's state, as the guest's script calls it, and since when."""

    name: str
    exit_code: int | None
    since: float
    restarts: int = 0
    result: str = "success"

    @property
    def is_ended(self) -> bool:
        """Whether it does not run any more, and will not."""
        return self.name in ("exited", "failed", "stopped")


class WorkloadRuns:
    """What a guest has stored of its workloads."""

    def __init__(self, guest: SimulatedGuest) -> None:
        self._guest, self._rows = guest, guest.machine.rows

    def all(self) -> dict[str, WorkloadRun]:
        """The workloads of this boot, by name."""
        runs = (self._of_boot(_RUNS).get("runs") or {}).values()
        return {one["name"]: WorkloadRun(**one | {"lines": _lines(one)}) for one in runs}

    def keep(self, run: WorkloadRun) -> None:
        """Store a workload; replaces the one of its name."""
        self._write({**self.all(), run.name: run})

    def forget(self, name: str) -> None:
        """Forget a workload."""
        self._write({key: run for key, run in self.all().items() if key != name})

    def _write(self, runs: Mapping[str, WorkloadRun]) -> None:
        documents = {name: asdict(run) for name, run in sorted(runs.items())}
        self._record(_RUNS, {"runs": documents})

    def folders(self) -> dict[str, str]:
        """Folders below /mnt/ccgpu, by path: what is in them."""
        return dict(self._of_boot(_FOLDERS).get("folders") or {})

    def add_folder(self, path: str, content: str = "") -> None:
        """Note a folder. content: the digest of a model's manifest."""
        self._record(_FOLDERS, {"folders": {**self.folders(), path: content}})

    def images(self) -> list[str]:
        """The digests of the images that were pulled, in any boot."""
        found: list[str] = json.loads(self._rows.fact(_IMAGES) or "[]")
        return found

    def add_image(self, digest: str) -> None:
        """Note an image."""
        self._rows.record(_IMAGES, json.dumps(sorted({*self.images(), digest})))

    def _of_boot(self, fact: str) -> dict[str, Any]:
        kept: dict[str, Any] = json.loads(self._rows.fact(fact) or "{}")
        return kept if kept.get("boot_id") == self._guest.boot_id else {}

    def _record(self, fact: str, document: Mapping[str, Any]) -> None:
        self._rows.record(fact, json.dumps({"boot_id": self._guest.boot_id, **document}))


def _lines(document: Mapping[str, Any]) -> tuple[tuple[float, str], ...]:
    return tuple((float(after), str(line)) for after, line in document["lines"])
