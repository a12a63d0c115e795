"""`dev.py pythons` finds every Python once and fails if the setup of one fails."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pythons
from support.repository import ROOT

_OURS = tuple(map(int, platform.python_version_tuple()))


def _script(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


@pytest.mark.slow
def test_each_python_is_listed_once(tmp_path):
    for name in ("a/python3", "a/python3.11", "b/python3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(sys.executable)
    (found,) = pythons.interpreters([tmp_path / "a", tmp_path / "b", tmp_path / "absent"])
    assert (found.version, found.file) == (_OURS, Path(sys.executable).resolve())


def test_old_broken_and_foreign_executables_are_left_out(tmp_path):
    _script(tmp_path / "python3.10", f"echo 3 10 13 23.0.1 {tmp_path}/python3.10")
    _script(tmp_path / "python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    _script(tmp_path / "python3.13", "echo no such version of python installed here")
    _script(tmp_path / "python3-config", f"echo 3 13 0 24.2 {tmp_path}/python3-config")
    _script(tmp_path / "python3.16", "echo Segmentation fault")
    (tmp_path / "python3.14").touch(0o644)
    (tmp_path / "python3.15").symlink_to("gone")
    newest = _script(tmp_path / "python3.99", f"echo 3 99 0 none '{tmp_path}/of mine'")
    (found,) = pythons.interpreters([tmp_path])
    assert str(found) == f"Python 3.99.0 with pip none ({newest.with_name('of mine')})"


def test_the_oldest_and_the_newest_are_used(tmp_path):
    for version in ("11.10", "11.2", "12.1"):
        answer = f"echo 3 {version.replace('.', ' ')} 23.0 {tmp_path}/3.{version}"
        _script(tmp_path / version / "python3", answer)
    folders = [tmp_path / version for version in ("11.10", "12.1", "11.2")]
    for count, found in enumerate(([], [(3, 11, 10)], [(3, 11, 10), (3, 12, 1)])):
        assert [one.version for one in pythons.outermost(folders[:count])] == found
    assert [one.version for one in pythons.outermost(folders)] == [(3, 11, 2), (3, 12, 1)]


def test_one_that_has_set_up_already_is_left_out_unless_it_is_the_only_one():
    old, new = (
        pythons.Interpreter((3, minor, 0), "23.0", Path(f"/bin/3.{minor}")) for minor in (11, 13)
    )
    assert pythons.all_but(old.file, [old, new]) == [new]
    assert pythons.all_but(Path("/other"), [old, new]) == [old, new]
    assert pythons.all_but(old.file, [old]) == [old]


def test_pythons_are_searched_in_path_system_folders_and_pyenv(tmp_path, monkeypatch):
    (tmp_path / "versions" / "3.12.1" / "bin").mkdir(parents=True)
    monkeypatch.setenv("PATH", f"/opt/a::{tmp_path}")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    found = list(map(str, pythons.usual_folders()))
    assert found[:2] == ["/opt/a", str(tmp_path)]
    assert {"/usr/bin", "/usr/local/bin", f"{tmp_path}/versions/3.12.1/bin"} <= set(found)


_PYTHON = """case "$*" in
  -I*) echo 3 {minor} 1 23.2.1 "$0" ;;
  *setup) {set_up} ;;
esac"""
_SUCCEEDS = 'mkdir -p .venv/bin && cp "$0" .venv/bin/ccgpu'
_FAILS = 'echo "HOME=$HOME LANG=$LANG PIP_INDEX_URL=$PIP_INDEX_URL"; exit 3'


class Machine:
    """A clone, and Pythons (in fact scripts) whose set-up succeeds or fails."""

    def __init__(self, folder: Path) -> None:
        self.clone, self.bin = folder / "clone", folder / "bin"
        self.bin.mkdir()
        shutil.copytree(ROOT / "scripts", self.clone / "scripts")

    def add(self, minor: int, set_up: str) -> None:
        _script(self.bin / f"python3.{minor}", _PYTHON.format(minor=minor, set_up=set_up))

    def try_all(self) -> tuple[int, str]:
        command = [sys.executable, "scripts/dev.py", "pythons", str(self.bin)]
        environ = {"HOME": "/h", "LANG": "de_DE", "PIP_INDEX_URL": "file:///i", "PATH": "/bin"}
        done = subprocess.run(
            command, cwd=self.clone, env=environ, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.slow
def test_every_python_that_succeeds_is_named(machine):
    machine.add(12, _SUCCEEDS)
    machine.add(13, _SUCCEEDS)
    code, said = machine.try_all()
    assert code == 0
    assert all(f"Python 3.{minor}.1 with pip 23.2.1 ({machine.bin}" in said for minor in (12, 13))
    assert said.endswith("the set-up succeeded with all 2 Pythons\n")


@pytest.mark.slow
def test_a_failing_python_fails_the_run_and_its_output_is_shown(machine):
    machine.add(12, _FAILS)
    machine.add(13, _SUCCEEDS)
    code, said = machine.try_all()
    assert code == 1
    assert f"\n$ {machine.bin}/python3.12 scripts/dev.py setup\n" in said
    assert "\nHOME=/h LANG= PIP_INDEX_URL=file:///i\n[exit 3]\n" in said
    assert said.endswith("error: the set-up failed with 1 of 2 Pythons\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("set_up", "problem"),
    [
        ("exit 0", "No such file or directory: '.venv/bin/ccgpu'"),
        ("mkdir -p .venv/bin && ln -s /bin/false .venv/bin/ccgpu", "[exit 1]"),
    ],
)
def test_a_setup_without_a_working_command_is_a_failure(machine, set_up, problem):
    machine.add(12, set_up)
    code, said = machine.try_all()
    assert code == 1
    assert "\n$ .venv/bin/ccgpu --version\n" in said
    assert problem in said


@pytest.mark.slow
def test_finding_no_python_is_an_error(machine):
    code, said = machine.try_all()
    assert code == 1
    assert said.startswith("error: no Python 3.11 or newer found\n\nhint: ")
