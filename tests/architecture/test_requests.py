"""Every HTTP client has the policy that tells what was sent: `--debug` shows all requests."""

import ast

import pytest

from support.repository import ROOT, SRC, syntax_tree


def silent_pipelines(tree: ast.Module) -> list[int]:
    """The lines on which a pipeline is made without `log`."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [call for call in calls if getattr(call.func, "id", "") == "pipeline"]
    return [call.lineno for call in made if "log" not in {one.arg for one in call.keywords}]


@pytest.mark.slow
def test_every_pipeline_has_the_log():
    found = {
        str(path.relative_to(ROOT)): silent_pipelines(syntax_tree(path))
        for path in sorted(SRC.rglob("*.py"))
    }
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("source", "found"), [("pipeline([], None)", [1]), ("pipeline([], None, log=x)", [])]
)
def test_a_pipeline_without_the_log_is_recognised(source, found):
    assert silent_pipelines(ast.parse(source)) == found
