"""The table of commands, and what holds for each of them."""

import importlib.metadata
import inspect
import platform
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from ccgpu import __version__
from ccgpu.cli import commands
from ccgpu.cli.main import app
from support.parsed import all_commands
from support.slow import mostly_slow

_ROOT = typer.main.get_command(app)
_COMMANDS = dict(all_commands())
_MODULES = {
    Path(inspect.getfile(__import__(f"ccgpu.cli.{e.module}", fromlist=["x"])))
    for e in commands.COMMANDS.values()
}


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_the_command_table_repeats_each_commands_help(name):
    command = commands.load(name)
    assert command.help.partition("\n")[0] == commands.COMMANDS[name].help


@pytest.mark.parametrize("path", _COMMANDS, ids=" ".join)
def test_every_help_has_an_example_of_the_command(path):
    assert f"Example: `ccgpu {' '.join(path)}" in _COMMANDS[path].help


@pytest.mark.parametrize("path", _COMMANDS, ids=" ".join)
def test_every_option_has_a_help_text(path):
    without = [p.name for p in _COMMANDS[path].params if not p.help]
    assert without == []


@pytest.mark.parametrize("path", sorted(_MODULES), ids=lambda path: path.stem)
def test_a_command_module_has_at_most_60_lines(path):
    assert len(path.read_text().splitlines()) <= 60


@pytest.mark.parametrize("path", _COMMANDS, ids=" ".join)
def test_every_example_is_accepted_by_the_parser(path):
    words = re.findall(r"`ccgpu ([^`]+)`", _COMMANDS[path].help)
    assert words
    for line in words:
        argv = shlex.split(line.partition(" > ")[0])
        command = _ROOT
        context = command.make_context("ccgpu", [argv[0]], resilient_parsing=True)
        while hasattr(command, "get_command"):
            command = command.get_command(context, argv.pop(0))
        command.make_context("x", argv)


@pytest.mark.parametrize("gone", ["--count"])
def test_unfinished_commands_do_not_exist(shell, gone):
    done = shell(f"create demo {gone}")
    assert done.code == 2
    assert "no such option" in done.err


def test_help_shows_options_in_groups(shell, capsys):
    assert shell("create --help").code == 0
    lines = capsys.readouterr().out.splitlines()
    headings = [line for line in lines if re.fullmatch(r"[A-Z]\w+:", line)]
    assert headings == [
        *("Arguments:", "Options:", "Machine:", "Disks:", "Access:", "Guest:", "Azure:"),
        *("Workload:", "Output:"),
    ]
    assert max(map(len, lines)) <= 80


def test_commands_are_loaded_once_and_unknown_ones_are_none():
    context = _ROOT.make_context("ccgpu", [], resilient_parsing=True)
    group = commands.Commands()
    assert group.get_command(context, "list") is group.get_command(context, "list")
    assert group.get_command(context, "nothing") is None


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_printed(shell, option):
    assert shell(option).out == f"ccgpu {__version__}\n"


@pytest.mark.parametrize(
    "line", ["--version -o json", "-V -o json", "-o json --version", "-ojson -V", "-Vo json"]
)
def test_the_version_as_a_document_names_what_it_runs_on(shell, line):
    done = shell(line)
    found = done.document
    assert (done.code, found["schema"], found["version"]) == (0, "ccgpu.version/1", __version__)
    assert found["python"] == platform.python_version()
    for name in ("azure-identity", "azure-mgmt-compute", "cryptography", "pydantic", "typer"):
        assert found["packages"][name] == importlib.metadata.version(name)
    assert found["commit"] is None  # a checkout: its files may be those of no commit


def test_the_version_is_filtered_as_other_documents_are(shell):
    assert shell("--version --query version -o tsv").out == f"{__version__}\n"


@pytest.mark.parametrize("line", ["-o json list --backend fake", "--query x show demo", "-o tsv"])
def test_the_output_of_a_command_is_asked_for_behind_it(shell, line):
    done = shell(line)
    assert (done.code, done.out) == (2, "")
    assert "stand after the command" in done.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "heavy"),
    mostly_slow(
        [
            pytest.param("--help", "pydantic|yaml|cryptography|azure|jmespath|ccgpu.cli.create"),
            pytest.param("create --help", "yaml|cryptography|azure|jmespath"),
            pytest.param("templates", "yaml|cryptography|azure"),
            pytest.param("schema spec", "yaml|cryptography|azure"),
            pytest.param("init demo", "azure"),
            pytest.param("validate demo.yaml", "azure"),
        ],
        6,
    ),
)
def test_a_command_loads_no_more_than_it_needs(line, heavy, tmp_path):
    (tmp_path / "demo.yaml").write_text("spot: true\n")
    command = [sys.executable, "-X", "importtime", "-m", "ccgpu", *line.split(), "--force"]
    command = command if line.startswith("init") else command[:-1]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    loaded = {row.rsplit("|", 1)[-1].strip() for row in done.stderr.splitlines()}
    assert "ccgpu.cli.main" in loaded
    assert [name for name in loaded if re.match(rf"({heavy})(\.|$)", name)] == []
