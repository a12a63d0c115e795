"""One request to the workload script in a simulated guest, and what all actions need."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from ccgpu.fakeguest.commands.call import Ending
from ccgpu.fakeguest.files import FileTree
from ccgpu.fakeguest.guest import SimulatedGuest
from ccgpu.fakeguest.workloads.request import read_name
from ccgpu.fakeguest.workloads.runs import WorkloadRun, WorkloadRuns

ROOT = "/mnt/ccgpu"


def model_folder(repository: str, commit: str) -> str:
    """Where the files of a model lie."""
    return f"{ROOT}/models/{repository.replace('/', '--')}/{commit}"


class WorkloadRefused(Exception):
    """The action cannot be carried out: a code of the script, and a message. seconds: virtual."""

    def __init__(self, code: str, message: str, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.code, self.seconds = code, seconds


class WorkloadCall:
    """A request, and the guest that it is made to."""

    def __init__(
        self,
        guest: SimulatedGuest,
        asked: Mapping[str, Any],
        run: Callable[[Sequence[str]], Ending],
    ) -> None:
        self.guest, self.asked, self.run = guest, asked, run
        self.runs = WorkloadRuns(guest)

    @cached_property
    def files(self) -> FileTree:
        """The guest's files."""
        return FileTree(self.guest)

    @property
    def now(self) -> float:
        """Unix seconds."""
        return self.guest.now

    def found(self) -> WorkloadRun:
        """The workload that is asked for; raises `WorkloadRefused` if there is none."""
        name = read_name(self.asked)
        run = self.runs.all().get(name)
        if run is None:
            raise WorkloadRefused("absent", f"there is no workload {name}")
        return run

    def require_engine(self) -> None:
        """Refuse a guest without Docker."""
        if not self.guest.has_step("docker"):
            raise WorkloadRefused("engine.absent", "there is no /usr/bin/docker")

    def storage(self) -> str:
        """Where /mnt/ccgpu lies; refuses one that is not encrypted, and a full one."""
        if self.guest.settings["workload"] == "disk-full":
            raise WorkloadRefused("storage.space", f"{ROOT}: No space left on device")
        encrypts = (self.guest.wanted or {}).get("CCGPU_TEMP_DISK") == "encrypted"
        if encrypts or self.guest.is_measured:
            return "encrypted"
        if self.asked.get("os_disk") is True:
            return "os-disk"
        raise WorkloadRefused("storage.plain", "/mnt is not on the encrypted temporary disk")

    def answer(self, seconds: float = 0.0, **members: Any) -> Ending:
        """The answer of an action."""
        document = {"schema": "ccgpu.workload/1", "boot": self.guest.boot_id, **members}
        return Ending(0, json.dumps(document).encode() + b"\n", seconds=seconds)

    def shown(self, run: WorkloadRun) -> dict[str, Any]:
        """A workload as answers show it."""
        state = run.state(self.now)
        return {
            "name": run.name,
            "state": state.name,
            "exit_code": state.exit_code,
            "since": state.since,
            "started_at": run.began,
            "restarts": state.restarts,
            "image": run.image,
            "image_digest": run.image_digest,
            "result": state.result,
        }
