"""Secrets are sealed in one place, which is reached through the gate alone."""

import ast

import pytest

from support.repository import ROOT, SRC, syntax_tree

_SEALS = "src/ccgpu/workflows/proven.py"
_GATE = "src/ccgpu/workflows/release.py"


def _names(tree: ast.Module) -> set[str]:
    """The names that a module takes from others, or calls on a module."""
    found = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return found | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def _users(*names: str) -> set[str]:
    files = {str(file.relative_to(ROOT)): file for file in SRC.rglob("*.py")}
    return {name for name, file in files.items() if _names(syntax_tree(file)) & set(names)}


@pytest.mark.slow
def test_only_a_proven_guest_seals_and_sends():
    assert _users("seal", "open_in_guest", "release_info") == {_SEALS}


def test_only_the_gate_makes_a_proven_guest():
    calls = {
        str(file.relative_to(ROOT))
        for file in SRC.rglob("*.py")
        for node in ast.walk(syntax_tree(file))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) == "ProvenGuest"
    }
    assert calls == {_GATE}


@pytest.mark.slow
def test_hpke_is_used_for_sealing_and_by_the_simulated_vm_alone():
    assert _users("hpke") == {"src/ccgpu/guest/release.py", "src/ccgpu/fakeguest/opener.py"}
