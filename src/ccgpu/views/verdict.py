"""A verdict for people and for scripts.

For people: the verdict, a line for each group of checks, each check that failed with what to do,
then whose word it rests on and what it leaves open. For scripts: every check with both sides.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.check import Check, shown
from ccgpu.attest.rests_on import Whose
from ccgpu.views.check_groups import grouped
from ccgpu.views.remedies import remedies
from ccgpu.views.signs import plain

_WORDS = {"accepted": "ACCEPTED", "rejected": "REJECTED", "no_verdict": "NO VERDICT"}
_WHOSE: dict[Whose, str] = {
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
class Judged:
    """A verdict, on what: the path of the evidence, the format it was in, what was not read."""

    appraisal: Appraisal
    source: str
    format_: str
    ignored: Sequence[str] = ()


def as_text(
    judged: Judged, *, verbose: bool = False, complete: Callable[[str], str] = str
) -> RenderableType:
    """The verdict first. `verbose` lists every check; `complete` fills in commands."""
    found = judged.appraisal
    parts: list[RenderableType] = [Text(headline(found))]
    if found.simulated:
        parts.append(Text(_SIMULATED))
    parts += [Text(line) for line in policy_lines(found)]
    unsafe = (each for each in found.unsafe if each not in found.loosened)
    parts += [Text(f"loosened: {plain(each)}") for each in unsafe]
    parts += [Text(), _groups(found.checks)]
    if verbose:
        parts += [Text(), _table(found.checks)]
    for id_, to_do in remedies(found.checks, judged.source).items():
        failed = [check for check in found.checks if check.id == id_ and not check.ok]
        parts += [Text(), *_failed(failed, complete(to_do))]
    parts += _rests_on(found)
    if found.facts:
        parts += [Text(), _facts(found)]
    parts += _list("not proven", found.not_proven) + _list("not read", judged.ignored)
    return Group(*parts)


def headline(found: Appraisal) -> str:
    """The verdict, in a line."""
    return f"{word_of(found)} by policy {plain(found.policy)} at {shown(found.at)}"


def word_of(found: Appraisal) -> str:
    """The verdict, in a word or two."""
    return _WORDS[found.verdict]


def simulated_line() -> str:
    """What is said of every verdict on simulated evidence."""
    return _SIMULATED


def _groups(checks: Sequence[Check]) -> Table:
    """A line for each group: how many checks, and how many failed."""
    table = _grid()
    for name, those in grouped(checks).items():
        failed = sum(not check.ok for check in those)
        count = f"{len(those)} check{'s' if len(those) != 1 else ''}"
        sign, line = (_NO, f"{failed} of {count} failed") if failed else (_OK, f"{count} ok")
        table.add_row(Text(*sign), Text(plain(name)), Text(line))
    return table


def policy_lines(found: Appraisal) -> Iterator[str]:
    """Of a policy file: which one it is, and what it asks less of than `default`."""
    if found.origin is None:
        return
    yield f"policy file: {plain(found.origin.path)} SHA-256 {found.origin.sha256}"
    for field, words in found.loosened.items():
        yield f"loosened: {field}: {plain(words)}"


def _table(checks: Sequence[Check]) -> Table:
    """Every check, a line each."""
    table = _grid()
    for check in checks:
        sign = Text(*(_OK if check.ok else _NO))
        table.add_row(sign, Text(check.id), Text(f"{check.what}: {_sides(check)}"))
    return table


def _grid() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column()
    return table


def _failed(checks: Sequence[Check], to_do: str) -> list[RenderableType]:
    """A check that failed, every time that it did, whole: nothing is shortened."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        table.add_row("expected", Text(plain(check.expected)))
        table.add_row("found", Text(plain(check.actual)))
    table.add_row("what to do", Text(plain(to_do)))
    title = Text.assemble(_NO, f"  {checks[0].id}  {plain(checks[0].what)}")
    return [title, Padding(table, (0, 0, 0, 4), expand=False)]


def _sides(check: Check) -> str:
    """What was expected and what was found; once where both are the same."""
    expected, actual = _short(check.expected), _short(check.actual)
    if check.ok and expected == actual:
        return actual
    return f"expected {expected}, found {actual}"


def _rests_on(found: Appraisal) -> list[RenderableType]:
    if not found.rests_on:
        return []
    table = Table.grid(padding=(0, 2))
    for what, whose in found.rests_on:
        table.add_row(Text(f"  {what}"), Text(_WHOSE[whose]))
    return [Text("\nthis verdict rests on whose word:"), table]


def _facts(found: Appraisal) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in found.facts.items():
        table.add_row(Text(plain(name)), Text(_short(value)))
    return table


def _list(title: str, entries: Sequence[str]) -> list[RenderableType]:
    if not entries:
        return []
    return [Text(f"\n{title}:"), *(Text(f"  - {plain(entry)}") for entry in entries)]


def _short(text: str) -> str:
    """`text` with long hashes cut in the middle; JSON has them whole."""
    return plain(_LONG_HEX.sub(lambda found: f"{found[0][:12]}…{found[0][-4:]}", text))


def _policy_file(found: Appraisal) -> dict[str, Any] | None:
    """The file of a user's policy; `reserved_name`: it has the name of one that ships."""
    if found.origin is None:
        return None
    return {
        "path": found.origin.path,
        "sha256": found.origin.sha256,
        "reserved_name": found.origin.takes_name,
        "loosened": dict(found.loosened),
    }


def as_json(judged: Judged, complete: Callable[[str], str] = str) -> dict[str, Any]:
    """The stable form. `facts` are what the evidence says of itself."""
    found = judged.appraisal
    to_do = remedies(found.checks, judged.source)
    return {
        "schema": "ccgpu.verdict/1",
        "verdict": found.verdict,
        "simulated": found.simulated,
        "policy": found.policy,
        "policy_file": _policy_file(found),
        "loosened": list(found.loosened),
        "at": shown(found.at),
        "unsafe": list(found.unsafe),
        "reasons": list(found.reasons),
        "to_do": {id_: complete(text) for id_, text in to_do.items()},
        "rests_on": [{"what": what, "whose": whose} for what, whose in found.rests_on],
        "not_proven": list(found.not_proven),
        "facts": dict(found.facts),
        "format": judged.format_,
        "ignored": list(judged.ignored),
        "checks": [
            {
                "id": check.id,
                "what": check.what,
                "ok": check.ok,
                "expected": check.expected,
                "actual": check.actual,
                "source": check.source,
            }
            for check in found.checks
        ],
    }
