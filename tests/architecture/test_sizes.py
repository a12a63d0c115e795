"""Limits on the length of modules and functions; every module has a docstring."""

import ast
import statistics

import pytest

from support.repository import ROOT, modules, syntax_tree


def _trees() -> dict[str, ast.Module]:
    return {str(path.relative_to(ROOT)): syntax_tree(path) for path in modules()}


def long_functions(tree: ast.Module, limit: int = 40) -> list[str]:
    """The functions whose body, its docstring left out, has more than `limit` lines.

    A signature is not counted: a command has as many parameters as it has options.
    """
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            found += [f"{node.name}: {lines}"] if lines > limit else []
    return found


def test_a_module_has_at_most_320_lines_and_half_of_them_at_most_110():
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules()}
    assert {name: count for name, count in lines.items() if count > 320} == {}
    shipped = [n for name, n in lines.items() if name.startswith("src/") and n > 1]
    assert statistics.median(shipped) <= 110


@pytest.mark.slow
def test_a_function_has_at_most_40_lines():
    found = {name: long_functions(tree) for name, tree in _trees().items()}
    assert {name: functions for name, functions in found.items() if functions} == {}


@pytest.mark.slow
def test_every_module_has_a_docstring():
    trees = _trees()
    assert [name for name, tree in trees.items() if tree.body and not ast.get_docstring(tree)] == []


@pytest.mark.parametrize(
    ("lines", "found"), [(40, []), (41, ["f: 41"])], ids=["40-pass", "41-do-not"]
)
def test_the_length_of_a_function_is_that_of_its_body(lines, found):
    body = "\n".join("    x = 1" for _ in range(lines))
    source = f'@decorated\ndef f(\n    a,\n    b,\n):\n    """One.\n\n    Two.\n    """\n{body}\n'
    assert long_functions(ast.parse(source)) == found
