"""Many verdicts for people and for scripts: a table with a line each, or one document with all."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ccgpu.attest.evidence_result import EvidenceResult
from ccgpu.errors import CcgpuError, InvalidFile
from ccgpu.views import verdict
from ccgpu.views.signs import plain
from ccgpu.views.verdict import AppraisedEvidence

_KEYS = ("accepted", "rejected", "no_verdict", "not_judged")
_SHOWN = 3  # reasons of a line
_NONE = "not judged"
_STYLES = {"ACCEPTED": "green", "REJECTED": "bold red"}


def as_text(judged: Sequence[EvidenceResult], *, verbose: bool = False) -> RenderableType:
    """How many of each, then a line each; `verbose` adds each verdict as `verify` shows it."""
    parts: list[RenderableType] = [Text(_summary(judged))]
    appraisals = [one.appraisal for one in judged if one.appraisal is not None]
    if any(each.simulated for each in appraisals):
        parts.append(Text(verdict.simulated_line()))
    of_policies = dict.fromkeys(line for each in appraisals for line in verdict.policy_lines(each))
    parts += [Text(line) for line in of_policies]
    loosened = dict.fromkeys(
        flag for each in appraisals for flag in each.unsafe if flag not in each.loosened
    )
    parts += [Text(f"loosened: {plain(flag)}") for flag in loosened]
    parts += [Text(), _table(judged)]
    if verbose:
        for result in judged:
            parts += [Text(f"\n{plain(result.source)}"), _details(result)]
    return Group(*parts)


def _summary(judged: Sequence[EvidenceResult]) -> str:
    count = Counter(map(_verdict_word, judged))
    policies = {plain(one.appraisal.policy) for one in judged if one.appraisal is not None}
    by = f" by policy {', '.join(sorted(policies))}" if policies else ""
    kinds = ", ".join(f"{number} {word.lower()}" for word, number in sorted(count.items()))
    return f"{len(judged)} judged{by}: {kinds}"


def _verdict_word(result: EvidenceResult) -> str:
    return _NONE.upper() if result.appraisal is None else verdict.verdict_word(result.appraisal)


def _table(judged: Sequence[EvidenceResult]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for result in judged:
        word = _verdict_word(result)
        table.add_row(
            Text(word, _STYLES.get(word, "yellow")), Text(plain(result.source)), _reasons(result)
        )
    return table


def _reasons(result: EvidenceResult) -> Text:
    if result.appraisal is None:
        return Text(plain(_error_line(result.error)))
    reasons = result.appraisal.reasons
    more = f" and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    return Text(", ".join(reasons[:_SHOWN]) + more)


def _error_line(error: CcgpuError | None) -> str:
    """What kept it from being judged, on one line."""
    if isinstance(error, InvalidFile):
        lines = [
            f"{each.path}: {each.message}" if each.path else each.message for each in error.problems
        ]
        return "; ".join(lines)
    return "; ".join(line.strip() for line in str(error).splitlines())


def _details(result: EvidenceResult) -> RenderableType:
    judged = _appraised(result)
    return Text(plain(str(result.error))) if judged is None else verdict.as_text(judged)


def _appraised(result: EvidenceResult) -> AppraisedEvidence | None:
    if result.appraisal is None:
        return None
    return AppraisedEvidence(result.appraisal, result.source, result.format_, result.ignored)


def as_json(judged: Sequence[EvidenceResult], exit_code: int) -> dict[str, Any]:
    """The stable form: `verdicts[]` are the documents of `verify`, each with its `source`."""
    found = Counter(map(_key, judged))
    return {
        "schema": "ccgpu.verdicts/1",
        "exit_code": exit_code,
        "counts": {key: found[key] for key in _KEYS},
        "verdicts": [_document(one) for one in judged],
    }


def _key(result: EvidenceResult) -> str:
    return "not_judged" if result.appraisal is None else result.appraisal.verdict


def _document(result: EvidenceResult) -> dict[str, Any]:
    """Where there is no verdict at all, `verdict` is null, and `error` says why."""
    head: dict[str, Any] = {"source": result.source, "exit_code": result.exit_code}
    judged = _appraised(result)
    if judged is not None:
        return head | verdict.as_json(judged)
    err = result.error
    error = err and {"code": err.code, "message": str(err), "hint": err.hint}
    return head | {"schema": "ccgpu.verdict/1", "verdict": None, "error": error}
