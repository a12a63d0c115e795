"""A verdict as text and as JSON.

As text: the verdict, one line for each group of checks, each failed check with what to do, then the
inputs taken on trust and what the verdict leaves open. As JSON: every check with both sides.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.check import Check, format_value
from ccgpu.attest.trust_basis import TrustSource
from ccgpu.attest.verdict_document import make_document
from ccgpu.domain.plain_text import one_line
from ccgpu.views import boot_events, workload_events
from ccgpu.views.check_groups import group_checks
from ccgpu.views.remedies import remedies
from ccgpu.views.tables import Grid

_WORDS = {"accepted": "ACCEPTED", "rejected": "REJECTED", "no_verdict": "NO VERDICT"}
_SOURCES: dict[TrustSource, str] = {
    "caller": "yours",
    "maker": "the evidence's maker's",
    "caller and maker": "yours, and the evidence's maker's",
    "guest": "the guest's",
    "nobody": "nobody's",
}
_LONG_HEX = re.compile(r"\b[0-9a-f]{32,}\b")
_SIMULATED = "SIMULATED: signed by a PKI that anybody can make; this proves nothing of any hardware"
_OK, _NO = ("ok", "green"), ("NO", "bold red")


@dataclass(frozen=True, slots=True)
class AppraisedEvidence:
    """A verdict, with the path of the evidence, its format, and the files that were not read."""

    appraisal: Appraisal
    source: str
    format_: str
    ignored: Sequence[str] = ()


def as_text(
    appraised: AppraisedEvidence, *, verbose: bool = False, complete: Callable[[str], str] = str
) -> RenderableType:
    """The verdict as text. `verbose` lists every check; `complete` completes commands in hints."""
    appraisal = appraised.appraisal
    parts: list[RenderableType] = [Text(headline(appraisal))]
    if appraisal.simulated:
        parts.append(Text(_SIMULATED))
    parts += [Text(line) for line in policy_lines(appraisal)]
    unsafe = (each for each in appraisal.unsafe if each not in appraisal.loosened)
    parts += [Text(f"loosened: {one_line(each)}") for each in unsafe]
    parts += [Text(), _groups(appraisal.checks)]
    if verbose:
        parts += [Text(), _table(appraisal.checks)]
        parts += [Text(), boot_events.as_text(appraisal.events)] if appraisal.events else []
    for id_, to_do in remedies(appraisal.checks, appraised.source).items():
        failed = [check for check in appraisal.checks if check.id == id_ and not check.ok]
        parts += [Text(), *_failed_check(failed, complete(to_do))]
    if appraisal.workloads:
        parts += [Text(), workload_events.as_text(appraisal.workloads, verbose=verbose)]
    parts += _trust_basis(appraisal)
    if appraisal.facts:
        parts += [Text(), _facts(appraisal)]
    parts += _bullet_list("not proven", appraisal.not_proven) + _bullet_list(
        "not read", appraised.ignored
    )
    return Group(*parts)


def headline(appraisal: Appraisal) -> str:
    """The verdict, policy and time, on one line."""
    at = format_value(appraisal.at)
    return f"{verdict_word(appraisal)} by policy {one_line(appraisal.policy)} at {at}"


def differing_note(appraisal: Appraisal, noted: str | None) -> str | None:
    """A line if the evidence's maker noted another verdict than this one."""
    if noted is None or noted == appraisal.verdict:
        return None
    return (
        f"the maker of the evidence noted another verdict than this one: {_WORDS[noted]}, "
        "which proves nothing"
    )


def verdict_word(appraisal: Appraisal) -> str:
    """The verdict in capitals."""
    return _WORDS[appraisal.verdict]


def simulated_line() -> str:
    """The line that every verdict on simulated evidence shows."""
    return _SIMULATED


def _groups(checks: Sequence[Check]) -> Grid:
    """One line for each group: the number of checks, and of failed ones."""
    table = _grid()
    for name, members in group_checks(checks).items():
        failed = sum(not check.ok for check in members)
        count = f"{len(members)} check{'s' if len(members) != 1 else ''}"
        sign, line = (_NO, f"{failed} of {count} failed") if failed else (_OK, f"{count} ok")
        table.add_row(Text(*sign), Text(one_line(name)), Text(line))
    return table


def policy_lines(appraisal: Appraisal) -> Iterator[str]:
    """Lines on a policy file: its path and hash, and what it loosens compared with `default`."""
    if appraisal.origin is None:
        return
    yield f"policy file: {one_line(appraisal.origin.path)} SHA-256 {appraisal.origin.sha256}"
    for field, words in appraisal.loosened.items():
        yield f"loosened: {field}: {one_line(words)}"


def _table(checks: Sequence[Check]) -> Grid:
    """One line for each check."""
    table = _grid()
    for check in checks:
        sign = Text(*(_OK if check.ok else _NO))
        table.add_row(sign, Text(check.id), Text(f"{check.what}: {_expected_and_found(check)}"))
    return table


def _grid() -> Grid:
    table = Grid()
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _failed_check(checks: Sequence[Check], to_do: str) -> list[RenderableType]:
    """A failed check, each time that it failed, with both sides in full."""
    table = Grid()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        table.add_row("expected", Text(one_line(check.expected)))
        table.add_row("found", Text(one_line(check.actual)))
    table.add_row("what to do", Text(one_line(to_do)))
    title = Text.assemble(_NO, f"  {checks[0].id}  {one_line(checks[0].what)}")
    return [title, Padding(table, (0, 0, 0, 4), expand=False)]


def _expected_and_found(check: Check) -> str:
    """What was expected and what was found; once if both are the same."""
    expected, actual = _shorten_hashes(check.expected), _shorten_hashes(check.actual)
    if check.ok and expected == actual:
        return actual
    return f"expected {expected}, found {actual}"


def trust_basis_words(appraisal: Appraisal) -> list[tuple[str, str]]:
    """Each input that the verdict rests on, and whose word it is."""
    return [(what, _SOURCES[whose]) for what, whose in appraisal.rests_on]


def _trust_basis(appraisal: Appraisal) -> list[RenderableType]:
    if not appraisal.rests_on:
        return []
    table = Grid()
    for what, whose in trust_basis_words(appraisal):
        table.add_row(Text(f"  {what}"), Text(whose))
    return [Text("\nthis verdict rests on whose word:"), table]


def _facts(appraisal: Appraisal) -> Grid:
    table = Grid()
    for name, value in appraisal.facts.items():
        table.add_row(Text(one_line(name)), Text(_shorten_hashes(value)))
    return table


def _bullet_list(title: str, entries: Sequence[str]) -> list[RenderableType]:
    if not entries:
        return []
    return [Text(f"\n{title}:"), *(Text(f"  - {one_line(entry)}") for entry in entries)]


def _shorten_hashes(text: str) -> str:
    """`text` with long hashes shortened in the middle; JSON has them in full."""
    return one_line(_LONG_HEX.sub(lambda found: f"{found[0][:12]}…{found[0][-4:]}", text))


def as_json(appraised: AppraisedEvidence, complete: Callable[[str], str] = str) -> dict[str, Any]:
    """The JSON document `ccgpu.verdict/1`. `complete` completes commands in `to_do`."""
    body = make_document(appraised.appraisal)
    checks = body.pop("checks")
    to_do = remedies(appraised.appraisal.checks, appraised.source)
    return {
        **body,
        "to_do": {id_: complete(text) for id_, text in to_do.items()},
        "format": appraised.format_,
        "ignored": list(appraised.ignored),
        "checks": checks,
    }
