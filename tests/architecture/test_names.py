"""No function is named by a bare preposition alone, and class names are unique."""

import ast
from collections import defaultdict

import pytest

from support.repository import ROOT, modules, syntax_tree

_PREPOSITIONS = frozenset(
    [
        "about",
        "after",
        "against",
        "around",
        "as",
        "at",
        "before",
        "behind",
        "beside",
        "between",
        "by",
        "during",
        "for",
        "from",
        "in",
        "inside",
        "into",
        "of",
        "off",
        "on",
        "onto",
        "out",
        "outside",
        "over",
        "per",
        "since",
        "through",
        "to",
        "under",
        "until",
        "up",
        "upon",
        "via",
        "with",
        "within",
        "without",
    ]
)
# Class names that may stand in several modules, and why.
_TWICE: dict[str, str] = {}


def bare_prepositions(tree: ast.Module) -> list[str]:
    """The top-level functions that are named by a preposition alone."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [one.name for one in functions if one.name.strip("_") in _PREPOSITIONS]


@pytest.mark.slow  # it parses every module
def test_no_function_is_named_by_a_bare_preposition():
    found = {
        str(path.relative_to(ROOT)): bare_prepositions(syntax_tree(path)) for path in modules()
    }
    assert {name: functions for name, functions in found.items() if functions} == {}


@pytest.mark.slow
def test_class_names_are_unique():
    places = defaultdict(list)
    for path in modules():
        for node in ast.walk(syntax_tree(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    twice = {name: files for name, files in places.items() if len(files) > 1}
    assert {name: files for name, files in twice.items() if name not in _TWICE} == {}
    assert _TWICE.keys() <= twice.keys()  # an exception that is none any more goes


def test_a_bare_preposition_is_reported():
    source = "def _of(): ...\ndef of_group(): ...\nclass A:\n    def of(self): ...\n"
    assert bare_prepositions(ast.parse(source)) == ["_of"]
