"""Every HTTP client tells what it sends, and every request has a deadline."""

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


def endless_calls(tree: ast.Module) -> list[int]:
    """The lines on which a `Call` is made without a deadline."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [call for call in calls if getattr(call.func, "id", "") == "Call"]
    given = [
        len(call.args) > 2 or "deadline" in {one.arg for one in call.keywords} for call in made
    ]
    return [call.lineno for call, has_one in zip(made, given, strict=True) if not has_one]


def test_every_request_has_a_deadline():
    found = {
        path.relative_to(SRC).as_posix(): lines
        for path in sorted(SRC.rglob("*.py"))
        if "Call(" in path.read_text() and (lines := endless_calls(syntax_tree(path)))
    }
    assert list(found) == ["ccgpu/scheduling/scheduler.py"]  # `pause`, which requests nothing
    assert len(found["ccgpu/scheduling/scheduler.py"]) == 1


@pytest.mark.parametrize(
    ("source", "found"),
    [("Call(get)", [1]), ("Call(get, 5.0)", [1]), ("Call(get, 0.0, d); Call(f, deadline=d)", [])],
)
def test_a_call_without_a_deadline_is_recognised(source, found):
    assert endless_calls(ast.parse(source)) == found
