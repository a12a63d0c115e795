"""`ccgpu create` ends by releasing the secrets of its spec to the VM that it has attested."""

import json
from pathlib import Path

import pytest

from support.cli import Shell
from support.secrets import CANARY, SecretUser, places_of
from support.slow import mostly_slow

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"
_TOKEN = "--set 'secrets=[{name: hf-token, env: HF_TOKEN}]'"
_TWO = "--set 'secrets=[{name: hf-token, env: HF_TOKEN}, {name: key, file: key}]'"
_FAILURES = [
    pytest.param(*case) for case in (("opener-swap", 10), ("old-paravisor", 9), ("tpm-absent", 8))
]


@pytest.fixture
def new(shell, monkeypatch) -> SecretUser:
    """A user with two secrets, and nothing at Azure."""
    monkeypatch.setenv("HF_TOKEN", CANARY)
    Path("key").write_bytes(b"k")
    return SecretUser(shell).watched()


@pytest.fixture
def user(shell, prepared, monkeypatch) -> SecretUser:
    """The same user with a VM that nobody has attested."""
    monkeypatch.setenv("HF_TOKEN", CANARY)
    prepared(shell, f"{_CREATE} --no-attest")
    Path("key").write_bytes(b"k")
    return SecretUser(shell).watched()


def _journal(shell: Shell) -> list[str]:
    (file,) = shell.state.glob("journals/*/demo.json")
    return list(json.loads(file.read_text())["stages"])


@pytest.mark.slow
def test_a_create_releases_the_secrets_once_the_vm_is_proven(new, tmp_path):
    done = new.shell(f"{_CREATE} {_TWO} -o json --events ndjson")
    assert done.code == 0, done.err
    assert new.held == {"hf-token": CANARY.encode(), "key": b"k"}
    assert done.document["secrets"] == {"released": ["hf-token", "key"], "held": []}
    stages = [one["stage"] for one in done.events if one.get("action") == "release"]
    assert stages == ["release", "release"]
    assert _journal(new.shell)[-1] == "release"
    assert len(new.opened) == 1, "all of them go in one message"
    assert places_of(CANARY.encode(), tmp_path) == []
    assert CANARY not in json.dumps(new.shell.arm.show()) + done.out + done.err


@pytest.mark.slow
def test_what_the_vm_holds_is_not_released_again(user, monkeypatch):
    assert user.shell(f"create demo {_TOKEN}").code == 0
    monkeypatch.delenv("HF_TOKEN")
    done = user.shell("create demo -o json")
    assert done.code == 0, done.err
    assert done.document["secrets"] == {"released": [], "held": ["hf-token"]}
    assert done.document["remembered"][-1] == "secrets"
    assert len(user.opened) == 1
    assert len(user.attester.challenges) == 2


@pytest.mark.slow
def test_what_is_lacking_alone_is_released(user):
    assert user.shell(f"create demo {_TOKEN}").code == 0
    done = user.shell(f"create demo {_TWO} -o json")
    assert done.document["secrets"] == {"released": ["key"], "held": ["hf-token"]}
    assert user.held == {"hf-token": CANARY.encode(), "key": b"k"}
    owned = "--set 'secrets=[{name: key, file: key, owner: 7}]'"
    assert user.shell(f"create demo {owned} -o json").document["secrets"]["released"] == ["key"]


@pytest.mark.slow
def test_a_create_after_a_reboot_releases_again(user):
    assert user.shell(f"create demo {_TOKEN}").code == 0
    assert user.shell("restart demo").code == 0
    assert user.held == {}
    done = user.shell("create demo")
    assert (done.code, "released: hf-token" in done.out) == (0, True)
    assert user.held == {"hf-token": CANARY.encode()}


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ("--set 'secrets=[{name: a, env: NOT_SET}]'", 2, "NOT_SET is not set"),
        ("--set 'secrets=[{name: a, stdin: true}]'", 2, "is a terminal"),
        ("--set 'secrets=[{name: a, command: [no-such-program]}]'", 2, "'no-such-program'"),
        ("--set 'secrets=[{name: a, file: nowhere}]'", 3, "No such file"),
        (f"{_TOKEN} --no-attest", 2, "without attestation none is released"),
        (f"{_TOKEN} --no-attest --dry-run", 2, "without attestation none is released"),
        (f"{_TOKEN} --policy cpu-only", 2, "asks for less than `default`"),
        (f"{_TOKEN} --private", 2, "is private"),
        ("--set 'secrets=[{name: a}]'", 3, "secrets.0: needs a source"),
    ],
)
def test_what_would_fail_at_the_end_is_refused_before_anything_is_made(new, words, code, text):
    done = new.shell(f"{_CREATE} {words}")
    assert (done.code, text in done.err) == (code, True), done.err
    assert new.shell.writes() == []


@pytest.mark.slow
def test_a_source_that_is_gone_stops_an_existing_vm_at_the_last_stage(user, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    done = user.shell(f"create demo {_TOKEN} -o json")
    assert (done.code, done.error["code"]) == (2, "UsageProblem")
    assert user.attester.shown["state"] == "attested"
    monkeypatch.setenv("HF_TOKEN", CANARY)
    assert user.shell("create demo").code == 0
    assert user.attester.shown["stage"] is None
    assert user.held == {"hf-token": CANARY.encode()}


@pytest.mark.slow
@pytest.mark.parametrize(("scenario", "code"), mostly_slow(_FAILURES, 3))
def test_a_release_that_fails_undoes_nothing(user, scenario, code):
    user.attester.scenario(scenario)
    done = user.shell(f"create demo {_TOKEN}")
    assert done.code == code, done.err
    assert "virtualMachines" in user.shell.kinds()
    assert user.held == {}
    user.attester.scenario("usual")
    assert user.shell("create demo").code == 0
    assert user.held == {"hf-token": CANARY.encode()}


@pytest.mark.slow
def test_a_new_vm_whose_release_fails_stays(new):
    new.attester.scenario("opener-write")
    done = new.shell(f"{_CREATE} {_TOKEN}")
    assert done.code == 10, done.err
    assert "demo stays, without hf-token" in done.err
    assert new.attester.shown["stage"] == "release"


@pytest.mark.slow
def test_a_create_that_is_cut_off_in_a_release_goes_on(user):
    def cut(_):
        raise KeyboardInterrupt

    done = user.when_opening(cut).shell(f"create demo {_TOKEN}")
    assert (done.code, user.held) == (130, {})
    assert user.shell("create demo").code == 0
    assert user.held == {"hf-token": CANARY.encode()}


@pytest.mark.slow
def test_without_waiting_nothing_is_released_and_that_is_said(user):
    for more in ("", " --dry-run"):
        done = user.shell(f"create demo {_TOKEN} --no-wait{more}")
        assert done.code == 0, done.err
        assert "nothing is released with --no-wait" in done.err
        assert "`ccgpu create demo` releases hf-token" in done.err
    assert user.opened == []


@pytest.mark.slow
def test_a_stopped_vm_gets_its_secrets_later(user):
    assert user.shell("stop demo").code == 0
    assert user.shell(f"create demo {_TOKEN}").code == 0
    assert user.opened == []
    assert user.shell("start demo").code == 0
    assert user.shell("create demo").code == 0
    assert user.held == {"hf-token": CANARY.encode()}


def test_a_plan_says_what_is_released_and_reads_nothing(new):
    sources = (
        "--set 'secrets=[{name: a, command: [touch, ran], owner: 7}, {name: b, env: NOT_SET}]'"
    )
    done = new.shell(f"plan demo --region eastus2 --ssh-from 203.0.113.7/32 {sources}")
    assert done.code == 0, done.err
    assert "released at the end, once the VM is proven:\n  a  command touch" in done.out
    assert "note: secret b: the environment variable NOT_SET is not set" in done.err
    answer = new.shell(f"plan demo {_TOKEN} -o json").document
    assert answer["secrets"] == [
        {"name": "hf-token", "source": "environment variable HF_TOKEN", "owner": 0}
    ]
    assert answer["warnings"] == []
    assert not Path("ran").exists()


@pytest.mark.slow
def test_a_file_is_found_where_the_spec_is_wherever_the_next_create_runs(user, monkeypatch):
    Path("specs").mkdir()
    Path("specs/key").write_bytes(b"beside")
    Path("specs/vm.yaml").write_text("secrets: [{name: key, file: ./key}]\n")
    assert user.shell("create demo -f specs/vm.yaml").code == 0
    assert user.held == {"key": b"beside"}
    Path("specs/key").write_bytes(b"rotated")
    monkeypatch.chdir("specs")
    assert user("put demo --all").code == 0
    assert user.held == {"key": b"rotated"}


@pytest.mark.slow
def test_doctor_looks_at_the_sources_of_a_spec(new, monkeypatch):
    Path("vm.yaml").write_text("name: demo\nsecrets: [{name: hf-token, env: HF_TOKEN}]\n")
    line = "doctor -f vm.yaml --region eastus2 --ssh-from 203.0.113.7/32"
    done = new.shell(line)
    assert "the sources of hf-token are there; no value was read" in done.out
    assert CANARY not in done.out
    monkeypatch.delenv("HF_TOKEN")
    done = new.shell(line)
    assert done.code == 2
    assert "HF_TOKEN is not set" in done.out
