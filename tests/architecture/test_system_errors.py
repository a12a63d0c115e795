"""What the operating system says reaches users in its words, not as Python prints it."""

import ast

import pytest

from support.repository import SRC, syntax_tree


def raw_messages(tree: ast.Module) -> list[int]:
    """The lines on which a handler of `OSError` prints the whole error: `[Errno 30] …: '/path'`."""
    handlers = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
    caught = [one for one in handlers if "OSError" in _names(one.type) and one.name]
    return sorted(
        {
            node.lineno
            for handler in caught
            for inner in handler.body
            for node in ast.walk(inner)
            if isinstance(node, ast.expr) and _prints(node, handler.name)
        }
    )


def _names(node: ast.AST | None) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)} if node else set()


def _prints(node: ast.expr, name: str | None) -> bool:
    if isinstance(node, ast.Call):
        shown = node.args[0] if getattr(node.func, "id", "") == "str" and node.args else None
    else:
        shown = node.value if isinstance(node, ast.FormattedValue) else None
    return isinstance(shown, ast.Name) and shown.id == name


def test_no_error_of_the_system_is_printed_as_python_prints_it():
    found = {
        path.relative_to(SRC).as_posix(): lines
        for path in sorted(SRC.rglob("*.py"))
        if "OSError" in path.read_text() and (lines := raw_messages(syntax_tree(path)))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("said", "found"),
    [("f'{err}'", [4]), ("str(err)", [4]), ("f'{err.strerror}'", []), ("reason(err)", [])],
)
def test_a_raw_message_is_recognised(said, found):
    source = f"try:\n  work()\nexcept (ValueError, OSError) as err:\n  raise Refused({said})\n"
    assert raw_messages(ast.parse(source)) == found
