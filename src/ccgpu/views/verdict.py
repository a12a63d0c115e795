"""A verdict for people and for scripts: every check with both sides, then what it leaves open."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.check import Check, shown
from ccgpu.views.signs import plain

_WORDS = {"accepted": "ACCEPTED", "rejected": "REJECTED", "no_verdict": "NO VERDICT"}
_LONG_HEX = re.compile(r"\b[0-9a-f]{32,}\b")
_SIMULATED = "SIMULATED: signed by a PKI that anybody can make; this proves nothing of any hardware"


def as_text(found: Appraisal, ignored: Sequence[str] = ()) -> RenderableType:
    """The verdict first, then the checks, then what it does not prove."""
    parts: list[RenderableType] = [Text(_headline(found))]
    if found.simulated:
        parts.append(Text(_SIMULATED))
    parts += [Text(line) for line in _policy_lines(found)]
    parts += [Text(f"loosened: {each}") for each in found.unsafe if each not in found.loosened]
    parts += [Text(), _table(found.checks)]
    if found.facts:
        parts += [Text(), _facts(found)]
    parts += _list("not proven", found.not_proven) + _list("not read", ignored)
    if found.reasons:
        parts += _list("refused by", found.reasons)
    return Group(*parts)


def _headline(found: Appraisal) -> str:
    return f"{_WORDS[found.verdict]} by policy {plain(found.policy)} at {shown(found.at)}"


def _policy_lines(found: Appraisal) -> Iterator[str]:
    """Of a policy file: which one it is, and what it asks less of than `default`."""
    if found.origin is None:
        return
    yield f"policy file: {plain(found.origin.path)} SHA-256 {found.origin.sha256}"
    for field, words in found.loosened.items():
        yield f"loosened: {field}: {plain(words)}"


def _table(checks: Sequence[Check]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column()
    for check in checks:
        sign = Text("ok", "green") if check.ok else Text("NO", "bold red")
        table.add_row(sign, check.id, Text(f"{check.what}: {_sides(check)}"))
    return table


def _sides(check: Check) -> str:
    """What was expected and what was found; once where both are the same."""
    expected, actual = _short(check.expected), _short(check.actual)
    if check.ok and expected == actual:
        return actual
    return f"expected {expected}, found {actual}"


def _facts(found: Appraisal) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in found.facts.items():
        table.add_row(Text(name), Text(_short(value)))
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


def as_json(found: Appraisal, *, format_: str, ignored: Sequence[str] = ()) -> dict[str, Any]:
    """The stable form. `facts` are what the evidence says of itself."""
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
        "not_proven": list(found.not_proven),
        "facts": dict(found.facts),
        "format": format_,
        "ignored": list(ignored),
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
