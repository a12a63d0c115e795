"""`-` as a file: what is read may come from standard input, a draft goes to standard output.

And words that are empty, as those of a variable that is not set.
"""

import pytest

from ccgpu.domain.image_manifest import dump
from ccgpu.store.example import BUNDLE, example_folder
from support.measured_images import Parts
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


_EXAMPLE = "verify --example --backend fake"
_VAULT = "keyvault {} --vault myvault --name k"
_SECRET = "secret put demo k --from-env HOME"
_SIGNER = f"SHA256:{'A' * 43}"
_OTHERS = {  # each option and argument of a file that is read, but for those of specs above
    "attest": {
        "--config": "attest demo --image image.json --config -",
        "--evidence": "attest --evidence -",
        "--host-key": "attest --evidence bundle.json --host-key -",
        "--image": "attest demo --image -",
        "--pins": "attest demo --pins -",
        "--policy": "attest demo --policy -",
        "--sign": "attest demo --save saved.json --sign -",
    },
    "collateral fetch": {"EVIDENCE...": "collateral fetch - --out folder"},
    "create": {"--pins": "create demo --pins -", "--policy": "create demo --policy -"},
    "fake add": {"FILE": "fake add -"},
    "fake scenario": {"NAME|FILE": "fake scenario -"},
    "image build": {"IMAGE.yaml": "image build - --out folder"},
    "image measure": {"--manifest": "image measure disk.vhd --manifest -"},
    "image show": {"FILE": "image show -"},
    "keyvault check": {"--token": f"{_VAULT.format('check')} --token -"},
    "keyvault create-key": {
        "--bundle": f"{_VAULT.format('create-key')} --region eastus2 --bundle -",
        "--claims": f"{_VAULT.format('create-key')} --claims -",
        "--policy": f"{_VAULT.format('create-key')} --policy -",
    },
    "keyvault policy": {
        "--bundle": "keyvault policy --region eastus2 --bundle -",
        "--claims": "keyvault policy --claims -",
    },
    "run": {"--policy": "run demo --workload shell --policy -"},
    "secret put": {
        "--from-file": "secret put demo k --from-file -",
        "--pins": f"{_SECRET} --pins -",
        "--policy": f"{_SECRET} --policy -",
        "--sign": f"{_SECRET} --save saved.json --sign -",
    },
    "validate": {"FILE": "validate -"},
    "verify": {
        "--config": f"{_EXAMPLE} --image image.json --config -",
        "--host-key": f"{_EXAMPLE} --host-key -",
        "--image": f"{_EXAMPLE} --image -",
        "--maa-jwks": f"{_EXAMPLE} --maa-jwks -",
        "--nras-jwks": f"{_EXAMPLE} --nras-jwks -",
        "--pins": f"{_EXAMPLE} --pins -",
        "--policy": f"{_EXAMPLE} --policy -",
        "--sign": f"{_EXAMPLE} --save saved.json --sign -",
        "--signature": f"{_EXAMPLE} --signer {_SIGNER} --signature -",
        "--signer": f"{_EXAMPLE} --signer -",
        "EVIDENCE": "verify -",
    },
}
_WRITTEN = {"--save", "--report", "--record", "--lock", "--model-lock", "--out"}
_OF_SPECS = {"--file", "--cloud-init", "--ssh-key"}
_NAMES = {"secret put": {"KEY"}, "secret rm": {"KEY..."}, "run": {"--secret"}}  # of secrets
_REFUSED = {  # what cannot be a stream
    "image measure -": "a disk is read at many places",
    "image publish - --gallery images": "a folder cannot be read from standard input",
    "verify bundle.json --collateral -": "a folder cannot be read from standard input",
    "ssh demo -i -": "ssh reads the key from a file alone",
}


def _bundle():
    with example_folder() as folder:
        return (folder / BUNDLE).read_bytes()


def _file_parameters():
    parts = ("FILE", "EVIDENCE", "POLICY", "KEY", "IMAGE.yaml")
    for path, command in all_commands():
        for one in command.params:
            shown = one.metavar or ""
            if "=" not in shown and any(part in shown for part in parts):
                named = one.opts[0] if one.param_type_name == "option" else shown
                yield " ".join(path), named


def test_every_file_that_is_read_is_in_the_tables():
    found: dict[str, set[str]] = {}
    for command, name in _file_parameters():
        if name not in {*_WRITTEN, *_OF_SPECS, "--identity-file", *_NAMES.get(command, ())}:
            found.setdefault(command, set()).add(name)
    assert found == {command: {*lines} for command, lines in _OTHERS.items()}


@pytest.mark.parametrize("line", [one for lines in _OTHERS.values() for one in lines.values()])
def test_every_file_that_is_read_may_be_standard_input(shell, line, tmp_path):
    if "bundle.json" in line:
        (tmp_path / "work" / "bundle.json").write_bytes(_bundle())
    done = shell(line)  # standard input is a terminal: so it was to be read
    assert (done.code, done.out) == (2, "")
    assert "standard input" in done.err
    assert "terminal" in done.err
    assert shell.arm.show()["requests"] == []


@pytest.mark.parametrize(("line", "why"), _REFUSED.items())
def test_what_cannot_be_a_stream_is_refused_with_the_reason(shell, line, why):
    done = _with(shell, b"disk")(line)
    assert done.code == 2
    assert why in done.err


def test_evidence_from_standard_input_is_judged(shell):
    given = f"{_EXAMPLE.replace('--example', '-')} --at bundle --unsafe-trust-bundle-identity"
    done = _with(shell, _bundle())(f"{given} --unsafe-trust-bundle-nonce -o json")
    assert (done.code, done.document["verdict"]) == (0, "accepted")


def test_a_manifest_from_standard_input_is_shown_and_a_disk_is_refused(shell):
    assert "tiny" in _with(shell, dump(Parts().manifest()))("image show -").out
    refused = _with(shell, b"conectix")("image show -")
    assert (refused.code, "a disk is read at many places" in refused.err) == (2, True)


@pytest.mark.parametrize(
    "line", [f"{_EXAMPLE} --policy - --pins -", "secret put demo k --stdin --policy -"]
)
def test_standard_input_cannot_be_two_files(shell, line):
    done = _with(shell, b"{}")(line)
    assert done.code == 2
    assert "only one file can be standard input, and `-` stands for 2 (" in done.err


def _words_that_may_not_be_empty():
    """One command for each option that takes a word, and every argument."""
    seen = set()
    for path, command in all_commands():
        for one in command.params:
            option = one.param_type_name == "option"
            if getattr(one, "is_flag", False) or one.metavar == "-- CMD" or one.opts[-1] in seen:
                continue
            seen |= {one.opts[-1]} if option else set()
            yield " ".join((*path, one.opts[-1] if option else "--", "''"))


def test_an_empty_word_is_refused_for_every_option_and_argument(shell):
    """Else a variable that is not set would select a default, or the current folder."""
    lines = [*_words_that_may_not_be_empty()]
    assert len(lines) > 100
    for line in lines:
        done = shell(line)
        assert (done.code, ": it is empty" in done.err) == (2, True), done
    assert shell.arm.show()["requests"] == []


def test_words_of_a_command_in_the_vm_may_be_empty(shell):
    assert "it is empty" not in shell("exec demo -- printf ''").err
