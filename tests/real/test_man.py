"""The man pages render without a warning, by groff and by mandoc."""

import os
import shutil
import subprocess

import pytest

import man_pages
from support.repository import ROOT

_PAGES = sorted((ROOT / "docs" / "man").glob("*.1"))


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    if not shutil.which(command[0]):
        pytest.skip(f"needs {command[0]}")
    environ = os.environ | {"LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_groff_renders_every_page_without_a_warning():
    assert len(_PAGES) > 40
    done = _run("groff", "-man", "-Tutf8", "-ww", "-P-cbou", *map(str, _PAGES))
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("CCGPU-CREATE(1)", "FILE|SHA256:…", "--disk-encryption <full|state-only>"):
        assert word in done.stdout


def test_mandoc_finds_nothing_to_warn_of():
    done = _run("mandoc", "-T", "lint", "-W", "warning", *map(str, _PAGES))
    assert (done.returncode, done.stdout) == (0, "")


def test_man_shows_a_page_without_a_warning():
    done = _run("man", "--warnings", str(ROOT / "docs" / "man" / "ccgpu-fake-add.1"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "ccgpu-fake-add - Add existing resources" in done.stdout


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (".TH x", ".TH x"),
        ("'br", "'br"),
        (r"a\nb \fB", r"a\nb \fB"),
        ("--yes", "--yes"),
        ("…", "…"),
    ],
)
def test_no_text_is_taken_for_a_command_of_roff(tmp_path, text, shown):
    page = tmp_path / "x.1"
    page.write_text(f".TH X 1 2026-11-30\n.SH NAME\n{man_pages.escaped(text)}\n")
    done = _run("groff", "-man", "-Tutf8", "-ww", "-P-cbou", str(page))
    assert (done.stderr, shown in done.stdout) == ("", True)
