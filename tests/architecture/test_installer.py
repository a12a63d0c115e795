"""Setup with a real pip and an index in a folder that gets newer releases than the lock."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support import wheels
from support.repository import ROOT

_PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
_EXTRA = ("Provides-Extra: toml", "Requires-Dist: tiny; extra == 'toml'")
_LOCKED = {"base": "1.0", "needs-extra": "1.0", "tiny": "1.0"}


class Clone:
    """A clone of a small project, its lock, and the index that pip is configured to use."""

    def __init__(self, folder: Path) -> None:
        self.root, self.index = folder / "clone", folder / "index"
        self.index.mkdir(parents=True)
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        shutil.copy(wheels.__file__, self.root / "backend.py")
        (self.root / "src").mkdir()
        (self.root / "pyproject.toml").write_text(_PROJECT)
        self.python = self.root / ".venv" / "bin" / "python"
        self.environ = {"HOME": str(folder), "PATH": os.environ["PATH"]}
        self.configure()
        self.base = self.publish("base", "1.0", *_EXTRA)
        self.needs_extra = self.publish("needs-extra", "1.0", "Requires-Dist: base[toml]>=1.0")
        self.tiny = self.publish("tiny", "1.0")
        self.lock(self.base, self.needs_extra, self.tiny)

    def configure(self, *settings: str) -> None:
        """Write the user's pip configuration: the index, and `settings`."""
        lines = ["[global]", "no-index = true", f"find-links = {self.index}", *settings]
        file = Path(self.environ["HOME"], ".pip", "pip.conf")
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(lines))

    def publish(self, name: str, version: str, *metadata: str) -> str:
        """Put a release on the index; its line in a lock."""
        return wheels.build(self.index, name, version, *metadata)

    def lock(self, *lines: str) -> None:
        (self.root / "requirements-dev.lock").write_text("".join(lines))

    def set_up(self) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "scripts/dev.py", "setup"]
        return subprocess.run(
            command, cwd=self.root, env=self.environ, capture_output=True, text=True, check=False
        )

    def installed(self) -> dict[str, str]:
        """The version of each package in `.venv` that is one of the index."""
        command = [str(self.python), "-I", "-m", "pip", "--isolated", "list", "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = {one["name"]: one["version"] for one in json.loads(done.stdout)}
        return {name: version for name, version in found.items() if name in {*_LOCKED, "gone"}}


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path.resolve())


@pytest.mark.slow
def test_a_dependency_missing_in_the_lock_is_named(clone):
    clone.lock(clone.needs_extra, clone.tiny)
    done = clone.set_up()
    assert done.returncode == 1
    assert "error: what requirements-dev.lock pins does not fit together:\n" in done.stderr
    assert "  needs-extra 1.0 requires base, which is not installed" in done.stderr


@pytest.mark.slow
def test_neither_newer_releases_nor_settings_of_the_user_change_what_is_installed(clone, tmp_path):
    """Of the settings, those of the index are used. `base` is asked for with an extra."""
    clone.publish("base", "1.1", *_EXTRA)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "constraints.txt").write_text("base<1.0\n")
    wheels.build(elsewhere, "tiny", "1.0")
    with zipfile.ZipFile(elsewhere / "tiny-1.0-py3-none-any.whl") as archive:
        archive.extractall(elsewhere)
    clone.configure(
        f"constraint = {elsewhere}/constraints.txt",
        "require-hashes = true",
        "quiet = 2",
        "[install]",
        "user = true",
        "no-binary = :all:",
        f"target = {elsewhere}/target",
    )
    clone.environ |= {"PIP_PREFIX": f"{elsewhere}/prefix", "PYTHONPATH": str(elsewhere)}
    done = clone.set_up()
    assert (done.returncode, clone.installed()) == (0, _LOCKED), done.stderr
    assert done.stderr.splitlines()[-1] == ".venv is ready"
    assert not {"target", "prefix"} & {file.name for file in elsewhere.iterdir()}


@pytest.mark.slow
def test_an_unreadable_pip_configuration_is_reported(clone):
    clone.configure("this is no setting")
    done = clone.set_up()
    assert done.returncode == 1
    assert "error: pip cannot read its configuration\n\nhint: " in done.stderr
    assert "pip.conf" in done.stderr


@pytest.mark.slow
def test_an_interrupted_setup_starts_again_and_a_later_one_follows_the_lock(clone):
    """A package removed from the lock does not remain."""
    clone.lock("absent==1.0 --hash=sha256:00\n")
    assert clone.set_up().returncode == 1
    for file in clone.root.glob(".venv/lib/python*/site-packages/pip/__main__.py"):
        file.unlink()  # as if venv itself had not come to its end
    gone = clone.publish("gone", "1.0", "Requires-Dist: base<1.1")
    clone.lock(clone.base, clone.needs_extra, clone.tiny, gone)
    assert clone.set_up().returncode == 0
    assert clone.installed() == _LOCKED | {"gone": "1.0"}
    clone.lock(clone.publish("base", "1.1", *_EXTRA), clone.needs_extra, clone.tiny)
    assert clone.set_up().returncode == 0
    assert clone.installed() == _LOCKED | {"base": "1.1"}
