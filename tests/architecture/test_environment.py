"""Setup runs once, runs again when an input changes, and is repeated after a failure."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.repository import ROOT
from support.slow import mostly_slow

_PYTHON = """#!/bin/sh
case "$*" in *" config list") exit 0;; esac
echo "$*" >> "$(dirname "$0")/calls"
exit "$(cat "$(dirname "$0")/code")"
"""


class Clone:
    """A clone with the `.venv` of an older lock, whose Python only notes how it is called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / ".venv" / "bin"
        self.bin.mkdir(parents=True)
        shutil.copytree(ROOT / "scripts", folder / "scripts")
        for name in ("pyproject.toml", "requirements-dev.lock"):
            (folder / name).write_text(name)
        self.settings = folder / ".venv" / "pyvenv.cfg"
        self.settings.write_text(
            f"version = {platform.python_version()}\ncommand = python -m venv {folder}/.venv\n"
        )
        self.stamp = folder / ".venv" / "set-up.sha256"
        self.stamp.write_text("older")
        (self.bin / "python").write_text(_PYTHON)
        (self.bin / "python").chmod(0o755)
        self.answer(0)

    def answer(self, code: int) -> None:
        (self.bin / "code").write_text(str(code))

    def set_up(self) -> tuple[int, list[str]]:
        """Run setup; return the exit code and the calls of the Python of `.venv`."""
        calls = self.bin / "calls"
        calls.write_text("")
        command = [sys.executable, "scripts/dev.py", "setup"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, check=False)
        return done.returncode, calls.read_text().splitlines() if calls.exists() else []


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path.resolve())


@pytest.mark.slow
def test_setup_installs_the_lock_by_hash_and_then_the_package(clone):
    code, (lock, package, checked, compiled) = clone.set_up()
    assert code == 0
    assert "install --no-deps --require-hashes --only-binary :all: -r" in lock
    assert package.endswith(f"--no-index --no-deps --no-build-isolation -e {clone.folder}")
    assert checked.endswith(" check")
    assert compiled.startswith("-m compileall")


@pytest.mark.slow
def test_a_second_setup_does_nothing(clone):
    clone.set_up()
    assert clone.set_up() == (0, [])


@pytest.mark.slow
@pytest.mark.parametrize(
    "file",
    mostly_slow(
        [
            "requirements-dev.lock",
            "pyproject.toml",
            "scripts/environment.py",
            "scripts/installer.py",
        ],
        4,
    ),
)
def test_a_changed_input_repeats_the_setup(clone, file):
    clone.set_up()
    with (clone.folder / file).open("a") as text:
        text.write("\n# changed\n")
    assert len(clone.set_up()[1]) == 4


def test_a_failed_setup_returns_its_exit_code_and_is_repeated(clone):
    clone.answer(7)
    code, calls = clone.set_up()
    assert (code, len(calls)) == (7, 1)
    assert not clone.stamp.exists()


@pytest.mark.parametrize(
    ("old", "new"),
    mostly_slow(
        [pytest.param("version = ", "version = 2."), pytest.param("venv ", "venv /elsewhere")], 2, 2
    ),
)
@pytest.mark.slow
def test_an_environment_of_another_python_or_folder_is_recreated(clone, old, new):
    clone.set_up()
    clone.settings.write_text(clone.settings.read_text().replace(old, new))
    clone.set_up()
    assert (clone.bin / "python").is_symlink()


def test_an_unknown_command_lists_all_commands(clone):
    command = [sys.executable, "scripts/dev.py", "frobnicate"]
    done = subprocess.run(command, cwd=clone.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "hint: setup | demo | test | test-changed | check" in done.stderr
