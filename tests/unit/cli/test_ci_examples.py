"""The CI pages and the pipelines that ship: every command is one, and deletes always run."""

import re
import shlex
from typing import Any

import pytest
import typer
import yaml

from ccgpu.cli.main import app
from support.repository import ROOT

_EXAMPLES = ROOT / "examples" / "ci"
_WORKFLOW = _EXAMPLES / "github-actions.yml"
_GC = _EXAMPLES / "github-gc.yml"
_PAGES = [ROOT / "docs" / "ci.md", ROOT / "docs" / "leases.md", *sorted(_EXAMPLES.glob("*.yml"))]
_COMMAND = re.compile(
    r"(?:[$:-] |\* )(ccgpu (?:create|exec|extend|gc|delete|list|show|role)\b[^\n#`]*)"
)
_VARIABLE = re.compile(r"\$\([\w.]+\)|\$\w+")
_SUBSCRIPTION = f"--subscription {'0' * 8}-0000-0000-0000-{'0' * 12}"


def _commands(path):
    text = path.read_text().replace("--subscription ID", _SUBSCRIPTION)
    return [_VARIABLE.sub("a7", found).strip() for found in _COMMAND.findall(text)]


@pytest.mark.parametrize("path", _PAGES, ids=lambda path: path.name)
def test_every_command_is_accepted_by_the_parser(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vm.yaml").write_text("")
    lines = _commands(path)
    assert lines or path == _GC
    root: Any = typer.main.get_command(app)
    for line in lines:
        _, name, *argv = shlex.split(line)
        context = root.make_context("ccgpu", [name], resilient_parsing=True)
        root.get_command(context, name).make_context(name, argv)


def test_example_workflows_use_the_action_and_ask_for_nothing_but_the_assertion():
    job = yaml.safe_load(_WORKFLOW.read_text())["jobs"]["gpu"]
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert [s["uses"].split("@")[0] for s in job["steps"] if "ccgpu" in s.get("uses", "")] == [
        "OWNER/ccgpu/action"
    ]
    collect = yaml.safe_load(_GC.read_text())
    assert "schedule" in collect[True]  # YAML 1.1 reads `on` so
    assert collect["jobs"]["gc"]["permissions"] == {"id-token": "write"}
    assert collect["jobs"]["gc"]["steps"][-1]["uses"].startswith("OWNER/ccgpu/action/gc@")
    assert (job["environment"], collect["jobs"]["gc"]["environment"]) == ("azure", "azure-gc")


def test_inputs_of_the_examples_exist():
    steps = yaml.safe_load(_WORKFLOW.read_text())["jobs"]["gpu"]["steps"]
    (ours,) = [step for step in steps if step.get("id") == "vm"]
    action = yaml.safe_load((ROOT / "action" / "action.yml").read_text())
    assert ours["with"].keys() <= action["inputs"].keys()
    used = re.findall(r"steps\.vm\.outputs\.(\w+)", _WORKFLOW.read_text())
    assert set(used) <= action["outputs"].keys()
    (included,) = yaml.safe_load((_EXAMPLES / "gitlab-ci.yml").read_text())["include"]
    header = (ROOT / "templates" / "confidential-gpu.yml").read_text().split("\n---\n")[0]
    declared = yaml.safe_load(header)["spec"]["inputs"]
    required = {name for name, one in declared.items() if "default" not in one}
    assert required <= included["inputs"].keys() <= declared.keys()
    for branch in yaml.safe_load((_EXAMPLES / "azure-pipelines.yml").read_text())["jobs"]:
        ((use,),) = branch.values()
        template = yaml.safe_load((ROOT / use["template"].split("@")[0]).read_text())
        known = {one["name"] for one in template["parameters"]}
        required = {one["name"] for one in template["parameters"] if "default" not in one}
        assert required <= use["parameters"].keys() <= known


def test_every_action_is_pinned_by_its_hash():
    used = re.findall(r"uses: (\S+)", _WORKFLOW.read_text() + _GC.read_text())
    assert len(used) == 4
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", one) for one in used)
