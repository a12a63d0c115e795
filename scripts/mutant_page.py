"""Writes docs/mutants.md: the killed mutants' number, and each survivor with its reason."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_REASONS = Path(__file__).resolve().parent / "mutants_equivalent.tsv"
_ABOUT = """\
# Mutants

This page is made by `make mutants`; edit `scripts/mutant_page.py`, not the page.

A mutant is the verifier with one small slip in it: `<` for `<=`, `and` for `or`, a number one off,
a condition turned round, a check or a `raise` left out, an argument gone, a slice without an end, a
text with `XX` before it, an entry of a table gone. It is killed when a unit test of its own folder
fails. A mutant that nothing kills is either a gap in the tests or the same verifier in other words.

- **Why not mutmut**: it judges one mutant a second here, and there are some twelve thousand.
  `scripts/mutant_session.py` loads the tests once, forks for each mutant, replaces the code of the
  one function, and runs the tests that reach its line, quickest first, until one fails. All of it
  takes a quarter of an hour on two cores.
- **Left alone**: types, decorators, docstrings, defaults in the body of a class, and the
  texts of a `Rule` (docs/verifier-checks.md holds them word for word). `None` is not tried for an
  argument that is `False`: only `True` passes a check.
- **Left out of the tests**: those that try every bit, which take seconds each; hypothesis has 15
  examples, always the same.
- Before the first mutant, a fork without one must pass all tests of the group. A mutant that takes
  20 s of CPU more than three times its tests' own time is killed, and so is one at module level
  that keeps the module from being loaded (a table of fields that does not tile). What checks print
  counts: `tests/golden/attest` has it.
- Where fewer were judged than there are, the run was ended early (`--seconds`), and the share is
  that of a sample; `make mutants` goes on where it ended.
"""


@dataclass(frozen=True, slots=True)
class Result:
    """The results of a group's mutants; empty if the group has not been tested."""

    group: str
    mutants: int
    answers: Sequence[Mapping[str, str]]

    @property
    def missed(self) -> list[Mapping[str, str]]:
        """The mutants that no test detected."""
        return [answer for answer in self.answers if answer["answer"] != "killed"]

    def row(self) -> str:
        """The group's row of the table."""
        judged, missed = len(self.answers), len(self.missed)
        rate = f"{100 * (judged - missed) / judged:.1f}" if judged else "not run"
        return f"| {self.group} | {self.mutants} | {judged} | {judged - missed} | {rate} |"


def reasons() -> Mapping[str, str]:
    """The reasons why mutants are equivalent: lines of `module: was → now<tab>reason`."""
    lines = _REASONS.read_text("utf-8").splitlines() if _REASONS.is_file() else []
    return dict(line.split("\t", 1) for line in lines)


def page(results: Sequence[Result], known: Mapping[str, str]) -> str:
    """The text of the page."""
    table = ["| group | mutants | judged | killed | % of judged |", "|---|--:|--:|--:|--:|"]
    parts = [_ABOUT, "\n".join([*table, *(result.row() for result in results)])]
    for result in results:
        if result.missed:
            parts.append(f"## {result.group}: not killed")
            parts.append("\n".join(_line(missed, known) for missed in result.missed))
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _line(missed: Mapping[str, str], known: Mapping[str, str]) -> str:
    name = missed["mutant"]
    module, _, rest = name.partition(":")
    _, _, change = rest.partition(": ")
    why = known.get(f"{module}: {change}") or _why(change, missed["answer"])
    return f"- `{module}` {rest.partition(':')[0]}: `{_cut(change)}`: {why}"


def _why(change: str, answer: str) -> str:
    if answer == "no test":
        return "runs when a module is loaded, not in a test"
    for sign, why in _KINDS:
        if sign.search(change):
            return why
    return "not looked into"


_KINDS = (
    (re.compile(r"strict=True"), "equivalent: both sides are of one length by construction"),
    (re.compile(r"since|mark\(\)"), "stricter: checks made before the mark would count too"),
    (re.compile(r"XMLParser\("), "the library's default, or behind the refusal of any DOCTYPE"),
    (re.compile(r"return False → return None$"), "equivalent: only asked whether it is true"),
    (re.compile(r"'(RFC|AMD|NVIDIA|CVE)[^']*' → 'XX"), "a source as it is printed"),
)


def _cut(text: str) -> str:
    text = text.replace("`", "'").replace("|", "\\|")
    return text if len(text) <= 160 else f"{text[:157]}..."
