"""What the script for workloads answers (`guest/workload.py`).

Times are seconds since the epoch, sizes are bytes. `boot` is the id of the VM's boot. Nothing in an
answer is trusted: what a workload says of itself is for its user to judge.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

WorkloadStateName = Literal[
    "starting", "running", "restarting", "stopping", "exited", "failed", "stopped"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestWorkload:
    """A workload in the VM.

    exited: it ended with the exit code 0. failed: with another, or systemd gave it up; `result` is
    systemd's word for that. exit_code: None unless it has ended, and None if it was stopped and
    ended well, since systemd forgets it then. since: of the state.
    """

    name: str
    state: WorkloadStateName
    exit_code: int | None
    since: float
    started_at: float
    restarts: int
    image: str
    image_digest: str
    result: str

    @property
    def has_ended(self) -> bool:
        """Whether it does not run, and will not by itself."""
        return self.state in ("exited", "failed", "stopped")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadPrepared:
    """The folders of a workload, what they lie on, and how much is free there."""

    boot: str
    inputs: str
    outputs: str
    storage: Literal["encrypted", "memory", "os-disk"]
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadStarted:
    """A workload that was started. event: the line of the log; pcr13: the value after it."""

    boot: str
    name: str
    state: WorkloadStateName
    exit_code: int | None
    since: float
    started_at: float
    image_digest: str
    run: tuple[str, ...]
    event: str
    pcr13: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWorkload:
    """The answer to `stop`, `status` and `follow`."""

    boot: str
    workload: GuestWorkload


@dataclass(frozen=True, slots=True, kw_only=True)
class AllWorkloads:
    """The answer to `list`."""

    boot: str
    workloads: tuple[GuestWorkload, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The answer to the health check; status: None if there was none."""

    status: int | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """An answer of a workload. body: None if it is larger than asked for, or not UTF-8."""

    status: int | None
    seconds: float
    size: int
    sha256: str
    body: str | None
    error: str

    @property
    def document(self) -> Any:
        """The body as JSON; None if it is none."""
        try:
            return json.loads(self.body or "")
        except (ValueError, RecursionError):
            return None

    @property
    def text(self) -> str | None:
        """The text of the first choice (OpenAI API, completions or chat); None if there is none."""
        match self.document:
            case {"choices": [{"text": str(text)}, *_]}:
                return text
            case {"choices": [{"message": {"content": str(text)}}, *_]}:
                return text
            case _:
                return None

    @property
    def completion_tokens(self) -> int | None:
        """How many tokens were generated (OpenAI API, `usage`); None if it does not tell."""
        match self.document:
            case {"usage": {"completion_tokens": int(tokens)}} if type(tokens) is int:
                return tokens
            case _:
                return None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadChecked:
    """The answer to `check`; `answers` is empty unless the health's status is 200."""

    boot: str
    workload: GuestWorkload
    health: Health
    answers: tuple[HttpAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFetched:
    """A model that is complete. bytes: of all its files; fetched: those read now."""

    boot: str
    folder: str
    bytes: int
    fetched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputsOffered:
    """The outputs to copy, and the names of up to 20 that are neither files nor folders."""

    boot: str
    path: str
    files: int
    bytes: int
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadProgress:
    """A line of progress: what is done, and how many of how many bytes (0 of 0: not in bytes)."""

    progress: str
    done: int
    total: int
