"""The verdicts of `verify --each`, as a table and as one JSON document."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.attest.evidence_result import EvidenceResult
from ccgpu.domain.plain_text import one_line
from ccgpu.errors import CcgpuError, InvalidFile
from ccgpu.views import verdict
from ccgpu.views.tables import Grid
from ccgpu.views.verdict import AppraisedEvidence

_KEYS = ("accepted", "rejected", "no_verdict", "not_judged")
_SHOWN = 3  # reasons of a line
_NONE = "not judged"
_STYLES = {"ACCEPTED": "green", "REJECTED": "bold red"}


def as_text(results: Sequence[EvidenceResult], *, verbose: bool = False) -> RenderableType:
    """A summary, then one line for each; `verbose` adds each verdict as `verify` shows it."""
    parts: list[RenderableType] = [Text(_summary(results))]
    appraisals = [result.appraisal for result in results if result.appraisal is not None]
    if any(each.simulated for each in appraisals):
        parts.append(Text(verdict.simulated_line()))
    of_policies = dict.fromkeys(line for each in appraisals for line in verdict.policy_lines(each))
    parts += [Text(line) for line in of_policies]
    loosened = dict.fromkeys(
        flag for each in appraisals for flag in each.unsafe if flag not in each.loosened
    )
    parts += [Text(f"loosened: {one_line(flag)}") for flag in loosened]
    parts += [Text(), _table(results)]
    if verbose:
        for result in results:
            parts += [Text(f"\n{one_line(result.source)}"), _details(result)]
    return Group(*parts)


def _summary(results: Sequence[EvidenceResult]) -> str:
    count = Counter(map(_verdict_word, results))
    policies = {
        one_line(result.appraisal.policy) for result in results if result.appraisal is not None
    }
    by = f" by policy {', '.join(sorted(policies))}" if policies else ""
    kinds = ", ".join(f"{number} {word.lower()}" for word, number in sorted(count.items()))
    return f"{len(results)} judged{by}: {kinds}"


def _verdict_word(result: EvidenceResult) -> str:
    return _NONE.upper() if result.appraisal is None else verdict.verdict_word(result.appraisal)


def _table(results: Sequence[EvidenceResult]) -> Grid:
    table = Grid()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for result in results:
        word = _verdict_word(result)
        table.add_row(
            Text(word, _STYLES.get(word, "yellow")), Text(one_line(result.source)), _reasons(result)
        )
    return table


def _reasons(result: EvidenceResult) -> Text:
    if result.appraisal is None:
        return Text(one_line(_error_line(result.error)))
    reasons = result.appraisal.reasons
    more = f" and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    return Text(", ".join(reasons[:_SHOWN]) + more)


def _error_line(error: CcgpuError | None) -> str:
    """The error that prevented a verdict, on one line."""
    if isinstance(error, InvalidFile):
        lines = [
            f"{each.path}: {each.message}" if each.path else each.message for each in error.problems
        ]
        return "; ".join(lines)
    return "; ".join(line.strip() for line in str(error).splitlines())


def _details(result: EvidenceResult) -> RenderableType:
    appraised = _appraised_evidence(result)
    return Text(one_line(str(result.error))) if appraised is None else verdict.as_text(appraised)


def _appraised_evidence(result: EvidenceResult) -> AppraisedEvidence | None:
    if result.appraisal is None:
        return None
    return AppraisedEvidence(result.appraisal, result.source, result.format_, result.ignored)


def as_json(results: Sequence[EvidenceResult], exit_code: int) -> dict[str, Any]:
    """The JSON document `ccgpu.verdicts/1`: each verdict as of `verify`, with its `source`."""
    counts = Counter(map(_key, results))
    return {
        "schema": "ccgpu.verdicts/1",
        "exit_code": exit_code,
        "counts": {key: counts[key] for key in _KEYS},
        "verdicts": [_document(result) for result in results],
    }


def _key(result: EvidenceResult) -> str:
    return "not_judged" if result.appraisal is None else result.appraisal.verdict


def _document(result: EvidenceResult) -> dict[str, Any]:
    """The document of one; if it has no verdict at all, `verdict` is null and `error` says why."""
    head: dict[str, Any] = {"source": result.source, "exit_code": result.exit_code}
    appraised = _appraised_evidence(result)
    if appraised is not None:
        return head | verdict.as_json(appraised)
    err = result.error
    error = err and {"code": err.code, "message": str(err), "hint": err.hint}
    return head | {"schema": "ccgpu.verdict/1", "verdict": None, "error": error}
