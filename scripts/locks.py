"""Writes the lock files from pyproject.toml: for users, development, building a wheel, tools.

A lock has hashes and no URLs, so any index or mirror can serve it. It is valid for every supported
Python. `tests/architecture/test_locks.py` compares the locks with pyproject.toml.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from commands import ROOT
from environment import AZ_LOCK, DEV_LOCK, SITE_LOCK, create
from installer import pip

UV = "uv==0.13.9"
LOCK = ROOT / "requirements.lock"
BUILD_LOCK = ROOT / "requirements-build.lock"
_COMPILE = (
    *("pip", "compile", "--no-config", "--quiet", "--universal", "--python-version", "3.11"),
    *("--only-binary", ":all:", "--generate-hashes", "--no-emit-index-url"),
)


def lock(arguments: list[str]) -> None:
    """Write the locks. Pins change only with `--upgrade` or if pyproject.toml requires it."""
    with tempfile.TemporaryDirectory() as folder:
        create(Path(folder))
        python = Path(folder) / "bin" / "python"
        pip(python, "install", "--no-deps", UV)
        _compile(python, "--output-file", LOCK.name, *arguments, "pyproject.toml")
        # The runtime lock constrains the other one: tests use the same versions as users.
        tools = ("--group", "dev", "--constraint", LOCK.name)
        _compile(python, "--output-file", DEV_LOCK.name, *tools, *arguments, "pyproject.toml")
        # Nothing but the build backend, of the version that tests use.
        build = ("--group", "pyproject.toml:build", "--constraint", DEV_LOCK.name)
        _compile(python, "--output-file", BUILD_LOCK.name, *build, *arguments)
        # Azure's CLI pins what it needs, and shares no environment with ccgpu; so does the site.
        for group, file in {"az": AZ_LOCK, "site": SITE_LOCK}.items():
            alone = ("--group", f"pyproject.toml:{group}")
            _compile(python, "--output-file", file.name, *alone, *arguments)


def _compile(python: Path, *arguments: str) -> None:
    environ = os.environ | {"UV_CUSTOM_COMPILE_COMMAND": "python3 scripts/dev.py lock"}
    command = [str(python), "-m", "uv", *_COMPILE, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(done.returncode)
