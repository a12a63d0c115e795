"""The console blocks of the documentation: what they run, what they show, and what is never run.

In a block, a line that begins with `$ ` is a command; it goes on over lines while a quote is open
or a line ends with a backslash. What follows is its output, in which `…` stands for any text, and a
line of `…` for any lines. A last line `^C` says that the reader stops the command there.

`console_blocks.toml` says what comes before a block, and which blocks are not run, and why.
"""

import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from commands import ROOT

STOP = "^C"
TABLE = ROOT / "scripts" / "console_blocks.toml"
_ANY = "…"
_FENCE = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
# Pages that code makes: what they show is the help, which tests of its own hold.
_MADE = frozenset(("docs/cli.md", "docs/errors.md", "docs/verifier-checks.md"))


@dataclass(frozen=True)
class ConsoleCommand:
    """A command, and the output that the page shows; none if it shows no output."""

    text: str
    shown: tuple[str, ...] = ()

    @property
    def stops(self) -> bool:
        """Whether the reader ends it by Ctrl-C."""
        return self.shown[-1:] == (STOP,)

    def is_as_shown(self, output: str) -> bool:
        """Whether `output` is what the page shows."""
        pattern = "".join(map(_pattern, self.shown))
        return not self.shown or re.fullmatch(pattern, output.rstrip("\n") + "\n") is not None


class Fence(NamedTuple):
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    start: int  # of its text in the page


def pages(root: Path = ROOT) -> list[str]:
    """Every page that people read, by its path in the repository."""
    found = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("examples/*/README.md")]
    found += [*root.glob("action/*.md"), *root.glob("pipelines/*.md")]
    return [name for file in sorted(found) if (name := str(file.relative_to(root))) not in _MADE]


def fences(page: str, text: str) -> list[Fence]:
    """Every fenced block of a page."""
    return [
        Fence(page, text[: found.start()].count("\n") + 1, found[2], found[3], found.start(3))
        for found in _FENCE.finditer(text)
    ]


def commands_of(text: str) -> list[ConsoleCommand]:
    """The commands of a console block, or of a transcript."""
    found: list[ConsoleCommand] = []
    for line in text.splitlines():
        if found and not found[-1].shown and _goes_on(found[-1].text):
            found[-1] = ConsoleCommand(f"{found[-1].text}\n{line}")
        elif line.startswith("$ "):
            found.append(ConsoleCommand(line[2:]))
        elif not found:
            raise ValueError(f"a block begins with a command, and not with {line!r}")
        else:
            found[-1] = ConsoleCommand(found[-1].text, (*found[-1].shown, line))
    return found


def written(commands: list[ConsoleCommand]) -> str:
    """The text of a block with these commands."""
    return "".join(
        f"$ {each.text}\n" + "".join(f"{line}\n" for line in each.shown) for each in commands
    )


def _goes_on(command: str) -> bool:
    """Whether a command needs a further line."""
    if command.endswith("\\"):
        return True
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return True
    return False


def _pattern(line: str) -> str:
    if line.strip() == _ANY:
        return r"(?:.*\n)*?"
    return ".*?".join(map(re.escape, line.rstrip().split(_ANY))) + r" *\n"


@dataclass(frozen=True)
class Rules:
    """What the table says: what comes before which block, and what is not run."""

    before: tuple[tuple[str, str, str], ...]  # page, how the block begins, commands
    not_run: tuple[tuple[str, str, str], ...]  # page, how the block begins, reason
    left_running: tuple[str, ...]  # how the command begins

    def preparation(self, fence: Fence) -> str:
        """The commands that are run before a block, and that readers do not see."""
        return "\n".join(rule[2] for rule in self.before if fits(rule, fence))

    def reason(self, fence: Fence) -> str | None:
        """Why a block is not run; None for one that is."""
        return next((rule[2] for rule in self.not_run if fits(rule, fence)), None)


def fits(rule: tuple[str, str, str], fence: Fence) -> bool:
    """Whether a rule of the table is about this block."""
    return rule[0] == fence.page and fence.text.startswith(rule[1])


def rules() -> Rules:
    """What the table says."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return Rules(
        tuple((each["page"], each["block"], each["run"]) for each in table["before"]),
        tuple((each["page"], each["block"], each["reason"]) for each in table["not_run"]),
        tuple(table["left_running"]),
    )
