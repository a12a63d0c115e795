"""The page of conventions: each row has an answer in each column, and tests that exist."""

import re

import pytest

from support.repository import ROOT, syntax_tree

_PAGE = ROOT / "docs" / "conventions.md"
_TEST = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`")


def _rows(page: str) -> list[list[str]]:
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines[1:]]


def _missing(row: list[str]) -> list[str]:
    """What is wrong with a row of the table."""
    wrong = [] if len(row) == 7 and all(cell.strip() for cell in row) else ["a cell is empty"]
    named = _TEST.findall(row[-1])
    wrong += [] if named else ["no test is named"]
    for path, name in named:
        file = ROOT / path
        tests = syntax_tree(file).body if file.is_file() else []
        wrong += [] if any(getattr(one, "name", "") == name for one in tests) else [name]
    return wrong


def test_every_convention_is_held_by_a_test_that_exists():
    rows = _rows(_PAGE.read_text("utf-8"))
    assert len(rows) >= 30
    assert {row[0].strip(): wrong for row in rows if (wrong := _missing(row))} == {}
    assert len({row[0] for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("| a | b | c | d | e | f | `tests/architecture/test_docs.py::test_gone` |", ["test_gone"]),
        ("| a | b | c | d | e | f | `tests/none.py::test_gone` |", ["test_gone"]),
        ("| a | b | c | d | e | f | soon |", ["no test is named"]),
        (
            "| a |  | c | d | e | f | "
            "`tests/architecture/test_conventions.py::test_a_row_without_a_test_is_found` |",
            ["a cell is empty"],
        ),
    ],
)
def test_a_row_without_a_test_is_found(row, wrong):
    ((cells),) = _rows(f"| head |\n{row}")
    assert _missing(cells) == wrong
