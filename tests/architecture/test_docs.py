"""Generated pages are up to date with the code."""

import re

import pytest

import docs
import man_pages
from support.repository import ROOT, SRC
from support.slow import mostly_slow

_NAMES = ["docs/cli.md", "docs/errors.md", "docs/man/ccgpu.1", "src/ccgpu/cli/completions.json"]


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return docs.made()


@pytest.mark.slow
def test_generated_files_match_the_code(made):
    assert set(_NAMES) <= set(made)
    old = [name for name, text in made.items() if (ROOT / name).read_text("utf-8") != text]
    assert old == []


def test_an_outdated_file_is_reported(tmp_path):
    made = {name: f"the text of {name}\n" for name in _NAMES}
    with pytest.raises(SystemExit, match=r"docs/cli\.md is not as the code says"):
        docs.main(["--check"], made, tmp_path)
    docs.main([], made, tmp_path)
    docs.main(["--check"], made, tmp_path)
    (tmp_path / "docs" / "man" / "ccgpu-gone.1").write_text("the page of a command that was")
    with pytest.raises(SystemExit, match=r"ccgpu-gone\.1"):
        docs.main(["--check"], made, tmp_path)
    docs.main([], made, tmp_path)
    (tmp_path / "docs" / "errors.md").write_text("old")
    with pytest.raises(SystemExit, match=r"errors\.md"):
        docs.main(["--check"], made, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("columns", mostly_slow(["40", "200"], 2))
def test_generated_pages_do_not_depend_on_the_terminal(monkeypatch, columns):
    before = docs.cli(), man_pages.pages()
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("CCGPU_BACKEND", "fake")
    assert (docs.cli(), man_pages.pages()) == before


def test_every_module_named_in_the_architecture_page_exists():
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"`([a-z_/]+\.py)[`:]", page)
    assert len(named) > 60
    assert [name for name in named if not (SRC / "ccgpu" / name).exists()] == []
