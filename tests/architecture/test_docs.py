"""Generated pages are up to date with the code."""

import re

import pytest

import docs
from support.repository import ROOT, SRC


@pytest.mark.parametrize(
    ("page", "made"),
    [("cli.md", docs.cli), ("errors.md", docs.tree), ("verifier-checks.md", docs.checks)],
)
def test_generated_pages_match_the_code(page, made):
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == made()


def test_an_outdated_page_is_reported(tmp_path):
    with pytest.raises(SystemExit, match=r"cli\.md is not as the code says"):
        docs.main(["--check"], tmp_path)
    docs.main([], tmp_path)
    docs.main(["--check"], tmp_path)
    (tmp_path / "errors.md").write_text("old")
    with pytest.raises(SystemExit, match=r"errors\.md"):
        docs.main(["--check"], tmp_path)


@pytest.mark.parametrize("columns", ["40", "200"])
def test_generated_pages_do_not_depend_on_the_terminal(monkeypatch, columns):
    before = docs.cli()
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("CCGPU_BACKEND", "fake")
    assert docs.cli() == before


def test_every_module_named_in_the_architecture_page_exists():
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"`([a-z_/]+\.py)[`:]", page)
    assert len(named) > 60
    assert [name for name in named if not (SRC / "ccgpu" / name).exists()] == []
