"""The check that a server which runs also answers right: known answers and a floor of speed.

A model in a confidential VM can be up and answer nonsense (vllm-project/vllm 57224: stale copies of
host memory), or be many times too slow (57680). Answers are greedy, short, and compared as text:
the chosen words are the same from run to run, their probabilities are not.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """A prompt and the texts with which its continuation may begin (after blanks are removed)."""

    prompt: str
    accepted: tuple[str, ...]
    max_tokens: int = 6

    def is_right(self, text: str) -> bool:
        """Whether an answer begins with an accepted text."""
        return any(text.strip().startswith(each) for each in self.accepted)


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
    """A request of the check: POST `body` as JSON to `path` at the port of the health check.

    seconds: how long to wait for the answer. limit: the bytes of the answer that are needed.
    """

    path: str
    body: Mapping[str, Any]
    seconds: float
    limit: int


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
    """The check of one server of text.

    model: the name by which requests ask for it. needed: how many of `answers` must be right.
    speed: None if no figure is known; then speed is measured and not judged.
    """

    port: int
    model: str
    answers: tuple[KnownAnswer, ...]
    needed: int
    speed: SpeedFloor | None = None

    def requests(self) -> tuple[CheckRequest, ...]:
        """The requests in the order in which `judge` wants their answers.

        One for each known answer, and two long ones with the same prompt. The first long answer
        warms up what the second one measures.
        """
        asked = [(each.prompt, each.max_tokens) for each in self.answers]
        return tuple(self._request(*each) for each in (*asked, *[(_LONG_PROMPT, _LONG_TOKENS)] * 2))

    def _request(self, prompt: str, max_tokens: int) -> CheckRequest:
        body = {
            "model": self.model,
            "prompt": prompt,
            "max_tokens": max_tokens,
            "temperature": 0,
            "seed": 0,
            "stream": False,
        }
        return CheckRequest(_COMPLETIONS, body, _SECONDS, _LIMIT)

    def judge(self, answers: Sequence[CheckAnswer]) -> CheckResult:
        """What the answers say. Fewer answers than requests, or unreadable ones, are problems."""
        texts = [_text(answer) for answer in answers]
        if len(answers) != len(self.requests()) or None in texts:
            return _unreadable(answers, len(self.requests()))
        known = list(zip(self.answers, texts, strict=False))
        wrong = [(each, text) for each, text in known if not each.is_right(text or "")]
        right = len(known) - len(wrong)
        problems = []
        if right < self.needed:
            shown = "; ".join(f"{each.prompt!r} gave {_shown(text)}" for each, text in wrong)
            problems.append(f"{right} of {len(known)} known answers are right: {shown}")
        first, second = texts[-2] or "", texts[-1] or ""
        problems += _text_problems(first, second)
        garbage = bool(problems)
        speed = _tokens_per_second(answers[-1])
        problems += self._speed_problems(speed)
        causes = GARBAGE_CAUSES if garbage else SLOW_CAUSES if problems else ()
        return CheckResult(not problems, tuple(problems), causes, right, speed)

    def _speed_problems(self, speed: float | None) -> list[str]:
        if speed is None:
            return ["the answer does not say how many tokens it has, so its speed is unknown"]
        if self.speed is None or speed >= self.speed.floor:
            return []
        return [
            f"{speed:.1f} tokens a second, and {self.speed.floor:g} is the least that passes "
            f"({self.speed.basis})"
        ]


GARBAGE_CAUSES = (
    "vLLM's V2 model runner, which answers nonsense on a confidential GPU: set "
    "VLLM_USE_V2_MODEL_RUNNER=0",
    "the model is damaged, or not the one that its name says",
)
SLOW_CAUSES = (
    "vLLM 0.29 or newer, which is three times slower on a confidential GPU than 0.26",
    "CUDA graphs are off (--enforce-eager), or the KV cache is swapped to the CPU",
    "copies to the GPU without OpenSSL 3.1 or newer, at half the speed",
)
_COMPLETIONS = "/v1/completions"
_LONG_PROMPT = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"
_LONG_TOKENS = 128
_SECONDS = 120.0  # the first request may compile kernels
_LIMIT = 64 * 1024
_ASCII = 0.9  # least share of printable ASCII in the answer to a prompt of digits
_VARIETY = 3  # fewest different characters of it
_SHOWN = 40


def _text(answer: CheckAnswer) -> str | None:
    """The text of an answer; None if it cannot be read."""
    if answer.status != 200:
        return None
    try:
        text = json.loads(answer.body)["choices"][0]["text"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return text if isinstance(text, str) else None


def _tokens_per_second(answer: CheckAnswer) -> float | None:
    """The speed of a readable answer, by the server's own count."""
    usage = json.loads(answer.body).get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, dict) else None
    if not isinstance(count, int) or not 0 < count <= _LONG_TOKENS or answer.seconds <= 0:
        return None
    return count / answer.seconds


def _text_problems(first: str, second: str) -> list[str]:
    problems = []
    plain = sum(character in _PLAIN for character in second)
    if not second.strip() or plain < _ASCII * len(second):
        problems.append(f"a prompt of digits is continued with {_shown(second)}")
    elif len(set(second)) < _VARIETY:
        problems.append(f"the long answer repeats itself: {_shown(second)}")
    if first.strip()[:_SHOWN] != second.strip()[:_SHOWN]:
        problems.append(
            f"the same prompt gave {_shown(first)}, then {_shown(second)}: greedy answers are "
            "the same"
        )
    return problems


_PLAIN = frozenset(map(chr, range(0x20, 0x7F))) | frozenset("\n\t")


def _shown(text: str | None) -> str:
    """An answer, short and harmless: it comes from the workload."""
    short = (text or "")[:_SHOWN]
    return ascii(short) + ("…" if len(text or "") > _SHOWN else "")


def _unreadable(answers: Sequence[CheckAnswer], wanted: int) -> CheckResult:
    if len(answers) != wanted:
        problem = f"{len(answers)} of {wanted} requests were answered"
    else:
        bad = next(each for each in answers if _text(each) is None)
        problem = (
            "the server could not be reached"
            if bad.status == 0
            else f"{_COMPLETIONS} answered {bad.status}, and no completion"
        )
    return CheckResult(False, (problem,), (), 0, None)
