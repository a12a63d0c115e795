"""What the user gave is wrong: the command line, a file, a program that is not there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ccgpu.errors.base import CcgpuError


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a file: its place (`path`, `line`, `column`; 1-based) and a message."""

    path: str
    message: str
    line: int | None = None
    column: int | None = None
    source: str | None = None


class UsageProblem(CcgpuError):
    """The command line is wrong, or leaves a choice that only the user can make."""

    exit_code: ClassVar[int] = 2


class InvalidFile(CcgpuError):
    """A spec or policy is refused, with all its problems in order."""

    exit_code: ClassVar[int] = 3

    def __init__(
        self, source: str, problems: Sequence[Problem], *, hint: str | None = None
    ) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"
        lines = [f"{source}: {count}", *(f"  {_problem_line(p, source)}" for p in self.problems)]
        super().__init__("\n".join(lines), hint=hint)


def _problem_line(problem: Problem, source: str) -> str:
    """A problem with its place; with its source if that is not the error's."""
    elsewhere = f"{problem.source}: " if problem.source not in (None, source) else ""
    place = f"{problem.line}:{problem.column}: " if problem.line is not None else ""
    path = f"{problem.path}: " if problem.path else ""
    return f"{elsewhere}{place}{path}{problem.message}"


class ProgramMissing(CcgpuError):
    """A program that the command needs is not installed; nothing was begun."""

    exit_code: ClassVar[int] = 3
