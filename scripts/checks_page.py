"""Writes docs/verifier-checks.md: each check with its module, tests and source document."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import ccgpu.attest
from ccgpu.attest.check import Rule

_ROOT = Path(__file__).resolve().parent.parent
_QUOTED = re.compile(r"[\"'`]([a-z0-9]+(?:[.-][a-z0-9]+)+)[\"'`]")
# Ends of the names of test modules that name reason codes, but reject no evidence.
_REJECT_NOTHING = ("_mutants", "_golden", "_checks", "_trust_chain", "_page")
_ABOUT = (
    "Every check that can refuse evidence: the reason code that a verdict prints, where the check "
    "is made, the tests that show evidence refused for it, and the document that asks for it. All "
    "checks that apply are made and listed before there is a verdict; [trust](trust.md) says what "
    "a good one proves."
)


def rules() -> Iterator[tuple[str, Rule]]:
    """Each rule with the module that defines it, ordered by reason code."""
    found: dict[str, tuple[str, Rule]] = {}
    for info in pkgutil.walk_packages(ccgpu.attest.__path__, "ccgpu.attest."):
        module = importlib.import_module(info.name)
        for value in vars(module).values():
            for rule in _rules_in(value):
                if _defines(Path(str(module.__file__)), rule.id):
                    found[rule.id] = (info.name, rule)
    yield from (found[id_] for id_ in sorted(found))


def _rules_in(value: object) -> Iterator[Rule]:
    if isinstance(value, Rule):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _rules_in(each)
    elif isinstance(value, (tuple, list, frozenset)):
        for each in value:
            yield from _rules_in(each)


def _defines(file: Path, id_: str) -> bool:
    return f'"{id_}"' in file.read_text("utf-8") or not id_


def tests() -> dict[str, list[str]]:
    """For each reason code, the test modules that contain it."""
    found: dict[str, list[str]] = {}
    for file in sorted((_ROOT / "tests").rglob("test_*.py")):
        if file.stem.endswith(_REJECT_NOTHING):
            continue
        for id_ in sorted(set(_QUOTED.findall(file.read_text("utf-8")))):
            found.setdefault(id_, []).append(file.stem)
    return found


def page(made: str) -> str:
    """The text of the page."""
    named = tests()
    rows = [
        f"| `{rule.id}` | {rule.what} | `{module.removeprefix('ccgpu.')}` "
        f"| {', '.join(f'`{name}`' for name in named.get(rule.id, []))} | {rule.source} |"
        for module, rule in rules()
    ]
    head = ["| check | what | code | tests | source |", "|---|---|---|---|---|"]
    return f"# Checks of the verifier\n\n{made}\n\n{_ABOUT}\n\n" + "\n".join([*head, *rows]) + "\n"
