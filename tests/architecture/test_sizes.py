"""Modules stay short enough to be read at one sitting, and say first what they are."""

import ast

import pytest

from support.repository import ROOT, modules

_NAMES = [str(path.relative_to(ROOT)) for path in modules()]


def long_functions(source: str, limit: int = 40) -> list[str]:
    """The functions of more than `limit` lines, decorators and docstrings not counted."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef):
            continue
        lines = (node.end_lineno or 0) - node.lineno + 1
        if ast.get_docstring(node):
            lines -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
        if lines > limit:
            found.append(f"{node.name}: {lines}")
    return found


@pytest.mark.parametrize("name", _NAMES)
def test_a_module_has_at_most_400_lines(name):
    assert len((ROOT / name).read_text().splitlines()) <= 400


@pytest.mark.parametrize("name", _NAMES)
def test_a_function_has_at_most_40_lines(name):
    assert long_functions((ROOT / name).read_text()) == []


@pytest.mark.parametrize("name", _NAMES)
def test_a_module_says_what_it_is(name):
    tree = ast.parse((ROOT / name).read_text())
    assert not tree.body or ast.get_docstring(tree)


@pytest.mark.parametrize(
    ("lines", "found"), [(40, []), (41, ["f: 41"])], ids=["40-pass", "41-do-not"]
)
def test_the_length_of_a_function_leaves_out_its_docstring(lines, found):
    body = "\n".join("    x = 1" for _ in range(lines - 1))
    source = f'@decorated\ndef f():\n    """One.\n\n    Two.\n    """\n{body}\n'
    assert long_functions(source) == found
