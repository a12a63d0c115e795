"""`init`, `templates`, `schema`, `validate`: the commands that ask nobody."""

import json

import pytest

from ccgpu.domain.spec import schema as spec_schema
from ccgpu.store import specs

_TEMPLATES = [template.name for template in specs.templates()]


@pytest.fixture
def folder(shell):
    return shell.folder / "work"


@pytest.mark.parametrize("template", _TEMPLATES)
@pytest.mark.parametrize("name", ["", "demo"])
def test_what_init_writes_is_valid_and_names_its_schema(shell, folder, template, name):
    done = shell(f"init {name} --template {template}")
    file = folder / f"{name or 'vm'}.yaml"

    assert done.code == 0
    assert file.read_text().startswith("# yaml-language-server: $schema=./ccgpu-spec.schema.json\n")
    assert json.loads((folder / "ccgpu-spec.schema.json").read_text()) == spec_schema.schema()
    assert specs.check(file) == []
    assert specs.build(None if name else "demo", file=file).name == "demo"
    assert sorted(folder.iterdir()) == sorted([file, folder / "ccgpu-spec.schema.json"])


def test_init_can_write_elsewhere_and_without_a_schema(shell, folder):
    (folder / "in").mkdir()
    done = shell("init demo -f in/gpu.yml --no-schema -o json")
    assert done.document == {"schema": "ccgpu.init/1", "files": ["in/gpu.yml"]}
    assert [path.name for path in (folder / "in").iterdir()] == ["gpu.yml"]
    assert "language-server" not in (folder / "in" / "gpu.yml").read_text()


@pytest.mark.parametrize("there", ["demo.yaml", "ccgpu-spec.schema.json"])
def test_init_overwrites_nothing_unless_forced(shell, folder, there):
    (folder / there).write_text("mine")
    done = shell("init demo")
    assert done.code == 2
    assert f"{there} already exists" in done.err
    assert [path.name for path in folder.iterdir()] == [there]
    assert (folder / there).read_text() == "mine"

    assert shell("init demo --force").code == 0
    assert (folder / there).read_text() != "mine"


def test_init_again_changes_nothing_and_is_no_error(shell):
    assert shell("init demo").code == 0
    assert shell("init demo").code == 0
    assert shell("init other").code == 0  # the schema is the same


def test_init_refuses_unwritable_files_and_invalid_names(shell, folder):
    done = shell("init demo -f missing/demo.yaml")
    assert done.code == 2
    assert "missing/demo.yaml cannot be written" in done.err
    done = shell("init Demo")
    assert (done.code, list(folder.iterdir())) == (3, [])
    assert "name: must be 1 to 63" in done.err


def test_templates_are_listed(shell):
    assert [row["name"] for row in shell("templates -o json").document["templates"]] == _TEMPLATES
    lines = shell("templates").out.splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == _TEMPLATES


def test_schema_prints_the_schema(shell):
    assert shell("schema spec").document == spec_schema.schema()


def test_validate_lists_every_file_with_all_its_problems(shell, folder):
    (folder / "good.yaml").write_text("spot: true\n")
    (folder / "bad.yaml").write_text("spot: maybe\nzone: 9\n")
    done = shell("validate good.yaml bad.yaml missing.yaml -o json")
    good, bad, missing = done.document["files"]
    assert (done.code, done.document["ok"], done.err) == (3, False, "")
    assert good == {"path": "good.yaml", "ok": True, "problems": []}
    assert [(p["line"], p["column"], p["field"]) for p in bad["problems"]] == [
        (1, 1, "spot"),
        (2, 1, "zone"),
    ]
    assert missing["ok"] is False
    assert shell("validate good.yaml").out == "good.yaml: ok\n"
    assert shell("validate good.yaml").code == 0


def test_validate_prints_unwrapped_plain_lines(shell, folder):
    shell.width = 30
    (folder / "bad.yaml").write_text("zone: 9\n'[red]x\x07': 1\n")
    (folder / "long.yaml").write_text('name: "A"\ntags: {"[red]/": x}\n')
    assert shell("validate long.yaml").out.splitlines() == [
        "long.yaml:1:1: name: must be 1 to 63 of a-z, 0-9 and '-', start with a letter, "
        "not end with '-'",
        *shell("validate long.yaml").out.splitlines()[1:],
    ]
    assert "tags.[red]/: " in shell("validate long.yaml").out


def test_local_commands_send_no_request(shell):
    for line in ("init demo", "templates", "schema spec", "validate demo.yaml"):
        assert shell(line).code == 0
    assert shell.reached == []
