"""The check that a server which runs also answers right: known answers and a floor of speed.

A model in a confidential VM can be up and answer nonsense (vllm-project/vllm 57224: stale copies of
host memory), or be many times too slow (57680). Answers are greedy, short, and compared as text:
the chosen words are the same from run to run, their probabilities are not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class AnswerProtocol(StrEnum):
    """completions: `/v1/completions`, of text. images: `/v1/images/generations`."""

    COMPLETIONS = "completions"
    IMAGES = "images"


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """A prompt and the texts with which its continuation may begin (after blanks are removed)."""

    prompt: str
    accepted: tuple[str, ...]
    max_tokens: int = 6


@dataclass(frozen=True, slots=True)
class SpeedFloor:
    """The fewest tokens a second of one request that pass.

    floor: below it the check fails. published: the figure it was derived from, for this hardware.
    basis: where that figure is from, with its date.
    """

    floor: float
    published: float
    basis: str


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """A request of the check: POST `body` as JSON to `path` at the port of the health check."""

    path: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CheckAnswer:
    """The answer to a `CheckRequest`: HTTP status, body, and the seconds that it took."""

    status: int
    body: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What the answers say.

    is_good: whether the workload may count as healthy. problems: what failed, as sentences without
    full stop. causes: likely causes, the likeliest first; empty if it is good. right: how many
    answers were the known ones. tokens_per_second: as measured; None if it was not.
    """

    is_good: bool
    problems: tuple[str, ...]
    causes: tuple[str, ...]
    right: int
    tokens_per_second: float | None


@dataclass(frozen=True, slots=True)
class KnownAnswers:
    """The check of one server.

    model: the name by which requests ask for it. needed: how many of `answers` must be right.
    speed: None if no figure is known. ascii_ratio: the least share of printable ASCII characters
    in the longest answer.
    """

    protocol: AnswerProtocol
    port: int
    model: str
    answers: tuple[KnownAnswer, ...]
    needed: int
    speed: SpeedFloor | None = None
    ascii_ratio: float = 0.9

    def requests(self) -> tuple[CheckRequest, ...]:
        """The requests, in the order in which `judge` wants their answers."""
        raise NotImplementedError

    def judge(self, answers: Sequence[CheckAnswer]) -> CheckResult:
        """What the answers say; fewer answers than requests, or unreadable ones, are problems."""
        raise NotImplementedError
