"""A change selects the tests that import it, and the reason is printed."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from changed_tests import affected_tests, changed_files, pick, sources
from support.repository import ROOT

_SOURCES = {
    "src/pack/__init__.py": "",
    "src/pack/__main__.py": "from pack.cli import main",
    "src/pack/base.py": "VALUE = 1",
    "src/pack/cli.py": "def main(name):\n    return import_module(f'pack.commands.{name}')",
    "src/pack/commands/__init__.py": "",
    "src/pack/commands/list.py": "def run():\n    from pack.base import VALUE",
    "src/pack/alone.py": "import os",
    "scripts/chore.py": "",
    "tests/conftest.py": "pytest_plugins = ['support.plugin']",
    "tests/support/plugin.py": "",
    "tests/support/asked.py": "from pack import base",
    "tests/unit/conftest.py": "from support import asked",
    "tests/unit/test_base.py": "",
    "tests/real/test_alone.py": "from pack import alone",
    "tests/real/test_chore.py": "import chore",
    "tests/real/test_process.py": "run([sys.executable, '-m', 'pack', 'list'])",
    "tests/real/test_golden.py": "golden('cli/list.txt', '')",
    "tests/real/test_page.py": "(ROOT / 'docs' / 'page.md').read_text()",
}


@pytest.mark.parametrize(
    ("change", "tests"),
    [
        ("src/pack/alone.py", ["real/test_alone"]),
        ("scripts/chore.py", ["real/test_chore"]),
        ("tests/real/test_alone.py", ["real/test_alone"]),
        ("src/pack/commands/list.py", ["real/test_process"]),  # loaded by a name made at run time
        ("src/pack/base.py", ["real/test_process", "unit/test_base"]),  # lazily, and by a conftest
        ("src/pack/commands/__init__.py", ["real/test_process"]),
        ("tests/support/asked.py", ["unit/test_base"]),
        ("tests/golden/cli/list.txt", ["real/test_golden"]),
        ("tests/golden/cli/new.txt", ["real/test_golden"]),  # by its folder
        ("docs/page.md", ["real/test_page"]),
        ("docs/deep/other.md", ["real/test_page"]),
        ("README.md", []),
    ],
)
def test_a_change_selects_the_tests_that_import_it(change, tests):
    assert list(affected_tests([change], _SOURCES)) == [f"tests/{test}.py" for test in tests]


@pytest.mark.parametrize(
    "change",
    ["pyproject.toml", "requirements-dev.lock", "tests/conftest.py", "tests/support/plugin.py"],
)
def test_a_change_of_shared_files_selects_all_tests(change):
    tests = {path for path in _SOURCES if "/test_" in path}
    assert set(affected_tests([change], _SOURCES)) == tests


def test_the_reason_is_the_chain_of_imports():
    by_import = affected_tests(["src/pack/base.py"], _SOURCES)["tests/unit/test_base.py"]
    by_name = affected_tests(["docs/page.md"], _SOURCES)["tests/real/test_page.py"]
    itself = affected_tests(["tests/real/test_page.py"], _SOURCES)["tests/real/test_page.py"]
    assert by_import == ["tests/unit/conftest.py", "tests/support/asked.py", "src/pack/base.py"]
    assert by_name == ["docs/page.md"]
    assert itself == []


@pytest.mark.slow
def test_changing_a_command_selects_its_tests_and_none_of_the_domain():
    found = affected_tests(["src/ccgpu/cli/extend.py"], sources(ROOT))
    assert "tests/unit/cli/test_leases.py" in found
    assert not [test for test in found if test.startswith("tests/unit/domain/")]


class Clone(NamedTuple):
    """A repository in a folder of its own, and git in it."""

    root: Path
    git: Callable[..., None]


@pytest.fixture
def clone(tmp_path):
    """A repository of `_SOURCES` on a branch that has changed one of them."""
    if not shutil.which("git"):
        pytest.skip("needs git")
    for path, text in _SOURCES.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def git(*words: str) -> None:
        settings = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        subprocess.run(["git", *settings, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "--initial-branch=main")
    git("add", ".")
    git("commit", "--message=all")
    git("switch", "--create=branch")
    (tmp_path / "src/pack/alone.py").write_text("import sys")
    git("commit", "--all", "--message=one")
    return Clone(tmp_path, git)


def test_changes_are_committed_edited_deleted_and_new_files(clone):
    (clone.root / "src/pack/base.py").write_text("VALUE = 2")
    (clone.root / "scripts/chore.py").unlink()
    (clone.root / "added é").write_text("1")
    (clone.root / ".gitignore").write_text("ignored")
    (clone.root / "ignored").write_text("1")
    expected = [
        ".gitignore",
        "added é",
        "scripts/chore.py",
        "src/pack/alone.py",
        "src/pack/base.py",
    ]
    assert changed_files(clone.root) == expected


def test_a_missing_main_branch_is_an_error(clone):
    clone.git("branch", "--delete", "--force", "main")
    with pytest.raises(SystemExit, match="no branch `main`"):
        changed_files(clone.root)


def test_selected_tests_are_listed_with_their_reasons(clone, capsys):
    (clone.root / "scripts/chore.py").unlink()  # and a test still imports it
    chosen = ["tests/real/test_alone.py", "tests/real/test_chore.py", "tests/architecture"]
    assert pick(clone.root) == chosen
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == [
        "tests/real/test_alone.py: src/pack/alone.py",
        "tests/real/test_chore.py: scripts/chore.py",
    ]


def test_without_changes_no_test_runs(clone, capsys):
    clone.git("switch", "main")
    assert pick(clone.root) == []
    assert capsys.readouterr().err == "nothing has changed\n"
