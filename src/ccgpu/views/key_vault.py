"""Keys under a release policy, and why a release would succeed or fail, as text and as JSON."""

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain import release_policy
from ccgpu.domain.plain_text import one_line
from ccgpu.domain.release_answer import AuthorityAnswer, ClauseAnswer, PolicyAnswer
from ccgpu.domain.release_claims import not_demanded
from ccgpu.domain.release_conditions import Condition
from ccgpu.domain.release_findings import CreatedKey, ReleaseFindings
from ccgpu.views.tables import Grid

_SIGNS = {True: ("+", "green"), False: ("x", "red"), None: ("?", "yellow")}
_WORDS = {True: "would be released", False: "would not be released", None: "is not known"}
_LONGEST = 60  # characters of a value that are shown; a digest has 96


def created_as_text(made: CreatedKey) -> RenderableType:
    """The key, and the authorities of its policy."""
    rows = Grid()
    rows.add_column(overflow="fold")
    rows.add_column(overflow="fold")
    key = made.key
    for name, value in (
        ("key", key.id),
        ("type", key.kind),
        ("exportable", "under its release policy alone"),
        ("policy", "can never be changed" if key.immutable else "can be changed"),
        ("authority", ", ".join(one.authority for one in made.policy.authorities)),
    ):
        rows.add_row(Text(name), Text(value))
    return rows


def created_as_json(made: CreatedKey, *, simulated: bool) -> dict[str, Any]:
    """The JSON document `ccgpu.keyvault-key/1`."""
    key = made.key
    return {
        "schema": "ccgpu.keyvault-key/1",
        "vault": made.vault.host,
        "id": key.id,
        "name": key.name,
        "version": key.version,
        "type": key.kind,
        "exportable": key.exportable,
        "immutable": key.immutable,
        "release_policy": release_policy.as_document(made.policy),
        "not_demanded": list(not_demanded(made.policy)),
        "simulated": simulated,
    }


def findings_as_text(found: ReleaseFindings, complete: Callable[[str], str]) -> RenderableType:
    """The answer, then a line for each condition, and for each clause of the policy."""
    where = f"{found.key.name} in {found.vault.host}"
    head = f"{where} {_WORDS[found.releases]}"
    if found.releases is None:
        head = f"whether {where} would be released is not known"
    parts: list[RenderableType] = [
        Text(head, style="bold"),
        Text(f"claims: {one_line(found.origin)}\n"),
        _conditions(found.conditions, complete),
        *([] if found.policy is None else _policy(found.policy)),
        Text("\nnot seen here:"),
        *(Text(f"  {one}") for one in found.not_seen),
    ]
    return Group(*parts)


def _conditions(conditions: Sequence[Condition], complete: Callable[[str], str]) -> RenderableType:
    rows = Grid()
    for one in conditions:
        sign, style = _SIGNS[one.holds]
        text = Text(f"{one.what}: {one_line(one.found)}")
        rows.add_row(Text(sign, style=style), Text(one.id), text)
        if one.holds is not True and one.remedy is not None:
            rows.add_row("", "", Text(f"→ {complete(one.remedy)}"))
    return rows


def _policy(answer: PolicyAnswer) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for authority in answer.authorities:
        word = "made the token" if authority.is_issuer else "did not make the token"
        sign, style = _SIGNS[authority.met]
        line = Text("\n").append(sign, style=style)
        parts += [line.append(f" {one_line(authority.authority)} {word}"), _clauses(authority)]
    return parts


def _clauses(authority: AuthorityAnswer) -> RenderableType:
    rows = Grid()
    for one in authority.clauses:
        sign, style = _SIGNS[one.met]
        rows.add_row(Text(f"  {sign}", style=style), Text(one_line(one.claim)))
        rows.add_row("", Text(_sides(one)))
        if one.hint is not None:
            rows.add_row("", Text(f"→ {one_line(one.hint)}"))
    return rows


def _sides(clause: ClauseAnswer) -> str:
    expected = _short(clause.expected)
    if clause.met is True:
        return f"is {expected}"
    if clause.actual is None:
        return f"must be {expected}: {clause.why}"
    return f"must be {expected}, is {_short(clause.actual)}"


def _short(value: object) -> str:
    text = one_line(value if isinstance(value, str) else str(value).lower())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def findings_as_json(
    found: ReleaseFindings, complete: Callable[[str], str], *, simulated: bool
) -> dict[str, Any]:
    """The JSON document `ccgpu.keyvault-check/1`; null stands for what is not known."""
    key = found.key
    return {
        "schema": "ccgpu.keyvault-check/1",
        "releases": found.releases,
        "vault": found.vault.host,
        "key": {"id": key.id, "name": key.name, "version": key.version, "type": key.kind},
        "claims": found.origin,
        "conditions": [
            {
                "id": one.id,
                "what": one.what,
                "ok": one.holds,
                "found": one.found,
                "remedy": None if one.remedy is None else complete(one.remedy),
            }
            for one in found.conditions
        ],
        "policy": None if found.policy is None else _policy_document(found.policy),
        "not_seen": list(found.not_seen),
        "simulated": simulated,
    }


def _policy_document(answer: PolicyAnswer) -> dict[str, Any]:
    return {
        "ok": answer.met,
        "authorities": [
            {
                "authority": one.authority,
                "is_issuer": one.is_issuer,
                "ok": one.met,
                "clauses": [
                    {
                        "path": clause.path,
                        "claim": clause.claim,
                        "expected": clause.expected,
                        "actual": clause.actual,
                        "ok": clause.met,
                        "why": clause.why,
                        "hint": clause.hint,
                    }
                    for clause in one.clauses
                ],
            }
            for one in answer.authorities
        ],
    }
