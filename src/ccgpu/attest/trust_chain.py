"""The chain of trust of a verdict: which of its parts hold, failed, or were not judged. Pure.

It fails closed. A part holds only if every check that it requires was made, none that concerns it
failed, every part that it rests on holds, and the inputs that it answers are the caller's own.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.chain_parts import PARTS, ChainPart

PartState = Literal["holds", "failed", "open"]


@dataclass(frozen=True, slots=True)
class JudgedPart:
    """A part and its state. why: what is missing, or the part's claim. failed: reason codes."""

    part: ChainPart
    state: PartState
    why: str
    failed: tuple[str, ...] = ()


def judge_chain(appraisal: Appraisal, gpus: int) -> tuple[JudgedPart, ...]:
    """The state of every part, in the order of `PARTS`. `gpus`: how many the evidence is of."""
    made = Counter(check.id for check in appraisal.checks)
    callers = {what for what, whose in appraisal.rests_on if whose == "caller"}
    judged: dict[str, JudgedPart] = {}
    for part in PARTS:
        failed = tuple(id_ for id_ in appraisal.reasons if is_concerned(part, id_))
        lack = _lack(part, made, max(gpus, 1), callers, judged)
        if failed:
            judged[part.key] = JudgedPart(part, "failed", ", ".join(failed), failed)
        elif lack is not None:
            judged[part.key] = JudgedPart(part, "open", lack)
        else:
            judged[part.key] = JudgedPart(part, "holds", part.claim)
    return tuple(judged.values())


def is_concerned(part: ChainPart, id_: str) -> bool:
    """Whether a check is about this part. One that is about no known part concerns all of them."""
    return _matches(part, id_) or not any(_matches(each, id_) for each in PARTS)


def _matches(part: ChainPart, id_: str) -> bool:
    return any(id_ == each or id_.startswith(f"{each}.") for each in part.concerns)


def _lack(
    part: ChainPart,
    made: Mapping[str, int],
    gpus: int,
    callers: set[str],
    judged: Mapping[str, JudgedPart],
) -> str | None:
    """What keeps a part from holding; None if nothing does."""
    times = max(part.per_gpu * gpus, 1)
    if not_made := sorted(id_ for id_ in part.requires if made.get(id_, 0) < times):
        return f"no check {_any_of(not_made)} was made"
    if weak := [judged[key] for key in part.rests_on if judged[key].state != "holds"]:
        return f"it rests on what does not hold: {weak[0].part.name}"
    if others := [each for each in part.inputs if each not in callers]:
        return f"{_any_of(others)}: not the verifier's own"
    return None


def _any_of(names: Sequence[str]) -> str:
    return " or ".join(names)
