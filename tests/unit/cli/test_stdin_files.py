"""`-` as a file: a spec from standard input, a draft to standard output."""

import pytest

from support.parsed import all_commands

_SPEC = b"name: demo\nregions: [eastus2]\nssh_from: 203.0.113.7/32\n"


def _with(shell, text: bytes):
    shell.stdin = text
    return shell


@pytest.mark.slow
def test_a_spec_from_standard_input_is_planned_and_created(shell):
    planned = _with(shell, _SPEC)("plan -f - -o json")
    assert planned.code == 0, planned
    assert planned.document["resources"][0]["id"].endswith("/ccgpu-demo")
    assert shell("create -f - --no-wait --no-attest -o json").document["name"] == "demo"


def test_json_is_taken_too(shell):
    assert _with(shell, b'{"ssh_from": "203.0.113.7/32"}')("plan demo -f -").code == 0


_FILES = {
    "capacity": "capacity -f -",
    "create": "create demo -f -",
    "doctor": "doctor -f -",
    "plan": "plan demo -f -",
    "price": "price -f -",
    "quota": "quota -f -",
    "render": "render demo -f - --format arm",
    "role": "role -f -",
    "run": "run demo -f - --dry-run",
    "secret put": "secret put demo -f -",
}


def test_every_command_that_reads_a_spec_is_in_the_table():
    found = {
        " ".join(path)
        for path, command in all_commands()
        for one in command.params
        if one.name == "file" and "--file" in one.opts
    }
    assert found - {"init"} == _FILES.keys()  # which writes one


@pytest.mark.parametrize("line", _FILES.values())
def test_every_command_that_reads_a_spec_takes_it_from_standard_input(shell, line):
    done = _with(shell, b"color: red\n")(line)
    assert done.code == 3
    assert "standard input: 1 problem" in done.out + done.err  # the answer of doctor is its finding
    assert "1:1: color: " in done.out + done.err
    if not line.startswith("doctor"):  # which checks the sign-in all the same
        assert shell.arm.show()["requests"] == []


def test_the_workload_of_standard_input_is_run(shell, prepared):
    spec = b"ssh_from: 203.0.113.7/32\nworkload: {use: shell}\n"
    prepared(shell, "create demo --region eastus2 --ssh-from 203.0.113.7/32")
    done = _with(shell, spec)("run demo -f - --dry-run -o json")
    assert done.code == 0, done
    assert done.document["workload"]["template"] == "shell"


def test_validate_tells_every_problem_with_its_place(shell):
    done = _with(shell, b"regions: []\ncolor: red\n")("validate -")
    assert done.code == 3
    assert done.out.startswith("-:1:1: regions: ")
    assert "-:2:1: color: " in done.out
    assert _with(shell, _SPEC)("validate - -o json").document["files"] == [
        {"path": "-", "ok": True, "problems": []}
    ]


def test_a_refused_spec_names_standard_input(shell):
    done = _with(shell, b"color: red\n")("plan demo -f -")
    assert done.code == 3
    assert done.err.startswith("error: standard input: 1 problem\n  1:1: color: ")


def test_a_terminal_is_not_read(shell):
    shell.stdin = None
    assert shell("plan demo -f -").code == 2
    assert "that is a terminal" in shell("validate -").err


@pytest.mark.parametrize("line", ["create -f -", "plan -f -", "secret put demo -f -"])
def test_a_secret_cannot_come_from_the_same_input(shell, line):
    text = _SPEC + b"secrets:\n- {name: hf-token, stdin: true}\n"
    done = _with(shell, text)(line)
    assert done.code == 2
    assert "the spec and its secret hf-token are both read from standard input" in done.err
    assert shell.arm.show()["requests"] == []


def test_init_prints_a_draft_that_is_valid(shell, tmp_path):
    draft = shell("init demo --template spot -f -")
    assert draft.code == 0
    assert "name: demo\n" in draft.out
    assert "yaml-language-server" not in draft.out
    assert _with(shell, draft.out.encode())("validate -").code == 0
    assert list((tmp_path / "work").iterdir()) == []
    assert shell("init demo -f - -o json").code == 2
