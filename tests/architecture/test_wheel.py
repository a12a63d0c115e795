"""The wheel contains all modules and templates and nothing else."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support.repository import ROOT, SRC


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The file names in a wheel built from the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(file).namelist())


def _below(folder: Path) -> set[str]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {str(f.relative_to(folder)) for f in files if "__pycache__" not in f.parts}


@pytest.mark.slow
def test_the_wheel_contains_every_template(wheel):
    templates = _below(ROOT / "templates")
    assert any(name.startswith("specs/") and name.endswith(".yaml") for name in templates)
    assert {f"ccgpu/templates/{name}" for name in templates} <= wheel


def test_the_wheel_contains_every_module_and_py_typed(wheel):
    ours = {str(file.relative_to(SRC)) for file in SRC.rglob("*.py")}
    assert ours | {"ccgpu/py.typed", "ccgpu/cli/completions.json"} <= wheel


def test_the_wheel_contains_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == {"ccgpu"}
    data = {re.sub(r"^ccgpu-[^/]*\.data/data/", "", name) for name in wheel if ".data/" in name}
    assert data == {f"share/man/man1/{page.name}" for page in (ROOT / "docs" / "man").iterdir()}
    assert "share/man/man1/ccgpu-create.1" in data
    assert not [name for name in wheel if name.endswith((".pyc", ".lock"))]
