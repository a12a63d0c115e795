"""The CI pages and the workflow that ships: every command is one, and deletes always run."""

import re
import shlex
from typing import Any

import pytest
import typer
import yaml

from ccgpu.cli.main import app
from support.repository import ROOT

_WORKFLOW = ROOT / "examples" / "ci" / "github-actions.yml"
_PAGES = [_WORKFLOW, ROOT / "docs" / "ci.md", ROOT / "docs" / "leases.md"]
_COMMAND = re.compile(r"(?:[$:-] |\* )(ccgpu (?:create|extend|gc|delete|list|show|role)\b[^\n#`]*)")
_VARIABLE = re.compile(r"\$\([\w.]+\)|\$\w+")


def _commands(path):
    return [_VARIABLE.sub("a7", found).strip() for found in _COMMAND.findall(path.read_text())]


@pytest.mark.parametrize("path", _PAGES, ids=lambda path: path.name)
def test_every_command_is_accepted_by_the_parser(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vm.yaml").write_text("")
    lines = _commands(path)
    assert len(lines) >= 4
    root: Any = typer.main.get_command(app)
    for line in lines:
        _, name, *argv = shlex.split(line)
        context = root.make_context("ccgpu", [name], resilient_parsing=True)
        root.get_command(context, name).make_context(name, argv)


def test_example_workflows_always_delete_and_have_the_id_token_permission():
    workflow = yaml.safe_load(_WORKFLOW.read_text())
    assert workflow["permissions"] == {"contents": "read", "id-token": "write"}
    jobs = workflow["jobs"]
    last = jobs["gpu"]["steps"][-1]
    assert last["if"] == "always()"
    assert last["run"].startswith("ccgpu delete")
    assert jobs["gc"]["steps"][-1]["run"] == "ccgpu gc --yes"
    assert "schedule" in workflow[True]  # YAML 1.1 reads `on` so
    assert all("environment" in job for job in jobs.values())


def test_every_action_is_pinned_by_its_hash():
    used = re.findall(r"uses: (\S+)", _WORKFLOW.read_text())
    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", one) for one in used)
