"""Import contracts and lazy loading; each contract is violated once to prove that it fails."""

import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import startups
from ccgpu.fakearm import FakeArm
from support.cloud import Machine, make_spec
from support.repository import ROOT, SRC
from support.slow import mostly_slow

_SLOW_TO_LOAD = {"azure", "cryptography", "lxml", "msal", "requests", "yaml"}
# contract → a module that breaks it, and with what
_BREACHES = {
    "Layers": ("domain", "import ccgpu.net"),
    "The fake knows nothing of the code it tests": ("fakearm", "import ccgpu.errors"),
    "Only the back ends and `ccgpu fake` know the fake": ("workflows", "import ccgpu.fakearm"),
    "Pure code knows no cloud, no terminal, no network, no files": (
        "domain",
        "import socket",
    ),
    "The SDK stays in its adapter": ("views", "import azure.core"),
}


def _contracts() -> list[str]:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [contract["name"] for contract in pyproject["tool"]["importlinter"]["contracts"]]


def test_every_import_contract_has_an_example_violation():
    assert sorted(_BREACHES) == sorted(_contracts())


@pytest.mark.slow
@pytest.mark.parametrize("contract", _BREACHES)
def test_a_violated_import_contract_fails(contract, tmp_path, monkeypatch):
    package, statement = _BREACHES[contract]
    shutil.copytree(SRC, tmp_path / "src", symlinks=True)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "src" / "ccgpu" / package / "breach.py").write_text(f'"""Bad."""\n{statement}\n')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "src"))
    linter = str(Path(sys.executable).with_name("lint-imports"))

    command = [linter, "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert f"{contract} BROKEN" in done.stdout


def _loaded_modules(*arguments: str, code: int = 0) -> set[str]:
    """The top-level packages that a Python started with `arguments` imports."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr[-2000:]
    rows = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {row.rsplit("|", 1)[1].strip().split(".")[0] for row in rows}


@pytest.mark.slow
@pytest.mark.parametrize("line", mostly_slow(["--help", "--version", "create --help"], 3))
def test_help_loads_no_slow_modules(line):
    loaded = _loaded_modules("-m", "ccgpu", *line.split())
    assert "typer" in loaded
    assert loaded & _SLOW_TO_LOAD == set()


@pytest.mark.slow
def test_the_domain_loads_no_sdk_terminal_or_network_modules():
    files = sorted((SRC / "ccgpu" / "domain").rglob("*.py"))
    names = [".".join(file.relative_to(SRC).with_suffix("").parts) for file in files]
    names = [name.removesuffix(".__init__") for name in names]
    loaded = _loaded_modules("-c", f"import {', '.join(names)}")
    assert "ccgpu" in loaded
    assert loaded & (_SLOW_TO_LOAD | {"typer", "rich"}) == set()


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A user's folder with a spec, and a simulated subscription with a deployment."""
    folder: Path = tmp_path_factory.mktemp("home")
    (folder / "vm.yaml").write_text("name: demo\nregions: [eastus2]\nssh_from: 203.0.113.7/32\n")
    machine = Machine(FakeArm(folder / "fake.sqlite"), folder / "state")
    machine.create(make_spec(), wait=False)
    machine.arm.close()
    return folder


def _at_start(line: str, home: Path) -> list[str]:
    environ = {
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "CCGPU_FAKE_STATE": str(home / "fake.sqlite"),
    }
    return startups.third_party_modules(shlex.split(line.format(home=home)), environ)


_LINES = (
    "--help",
    "__complete zsh show ''",
    "list --backend fake",
    "list --backend fake -o json",
    "validate {home}/vm.yaml",
    "verify --example --policy cpu-only",
)


@pytest.mark.parametrize("line", _LINES)
def test_a_command_loads_exactly_the_packages_that_it_needs(line, home):
    found = _at_start(line, home)
    assert startups.packages(found) == startups.PACKAGES[line.split()[0]]
    assert [one for one in found if one.startswith(("azure.mgmt", "azure.identity"))] == []


def test_what_every_measured_command_loads_is_listed():
    assert {line.split()[0] for line in _LINES} == startups.PACKAGES.keys()
