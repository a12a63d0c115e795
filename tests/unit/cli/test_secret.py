"""`ccgpu secret`: put, list and rm, on a VM that is proven each time."""

import json
import signal
import sqlite3
from importlib import resources
from pathlib import Path

import pytest

from ccgpu.domain.secret import MOST_BYTES
from ccgpu.errors import ConnectionLost
from support.attesting import make_demo
from support.secrets import CANARY, SecretUser, places_of
from support.slow import mostly_slow

_CUTS = [
    pytest.param(cause, arrives)
    for arrives in (False, True)
    for cause in (KeyboardInterrupt, ConnectionLost("broke off"), MemoryError)
]

_UNPROVEN = [
    pytest.param("old-paravisor", 9),
    pytest.param("debuggable", 9),
    pytest.param("devtools", 9),
    pytest.param("tpm-absent", 8),
    pytest.param("gpu-firmware", 9),
    pytest.param("vendors-down", 8),
    pytest.param("other-host-key", 9),
    pytest.param("no-sshd", 10),
]


def _write_loose_policy() -> None:
    """`default`, but for verdicts that count for longer."""
    text = (resources.files("ccgpu") / "templates/policies/default.yaml").read_text("utf-8")
    Path("loose.yaml").write_text(text.replace("max_age: 24h", "max_age: 48h"))


@pytest.fixture
def user(shell, prepared) -> SecretUser:
    """A VM that is set up, and that nobody has attested."""
    return SecretUser(prepared(shell, make_demo)).watched()


@pytest.fixture
def token(monkeypatch) -> str:
    """A secret in the caller's environment."""
    monkeypatch.setenv("HF_TOKEN", CANARY)
    return CANARY


def test_a_secret_reaches_the_memory_of_a_proven_vm(user, token):
    done = user("put demo hf-token --from-env HF_TOKEN --owner 1000 -o json")
    assert done.code == 0, done.err
    assert user.held == {"hf-token": token.encode()}
    assert user.shell.guarded == [done.line]
    answer = done.document
    assert (answer["schema"], answer["action"]) == ("ccgpu.secret/1", "put")
    assert (answer["verdict"], answer["policy"], answer["dry_run"]) == (
        "accepted",
        "default",
        False,
    )
    assert answer["simulated"] is True
    assert answer["secrets"] == [
        {
            "name": "hf-token",
            "source": "environment variable HF_TOKEN",
            "owner": 1000,
            "bytes": len(token),
            "path": "/run/ccgpu/secrets/hf-token",
        }
    ]
    assert user.attester.shown["state"] == "attested"
    assert [one["nonce"] for one in user.attester.challenges] == [answer["nonce"]]


@pytest.mark.slow
@pytest.mark.parametrize("source", mostly_slow(["file", "stdin", "env", "command"], 4))
def test_every_source_is_released_byte_by_byte(user, token, monkeypatch, source):
    value = token.encode() + b"\n"
    Path("token").write_bytes(value)
    monkeypatch.setenv("WITH_NEWLINE", value.decode())
    words = {
        "file": "--from-file token",
        "stdin": "--stdin",
        "env": "--from-env WITH_NEWLINE",
        "command": "--from-command 'cat token'",
    }
    done = user(f"put demo hf-token {words[source]}", stdin=value)
    assert done.code == 0, done.err
    assert user.held == {"hf-token": value}


@pytest.mark.slow
@pytest.mark.usefixtures("token")
def test_transcripts(user, golden):
    lines = (
        "put demo hf-token --from-env HF_TOKEN --owner 1000 --dry-run",
        "put demo hf-token --from-env HF_TOKEN --owner 1000",
        "put demo other --from-env NOT_SET",
        "list demo",
        "list demo -o tsv --query secrets[].[name,bytes]",
        "rm demo hf-token",
        "rm demo hf-token",
    )
    golden("cli/secret.txt", "\n".join(str(user(line)) for line in lines))


@pytest.mark.slow
def test_list_tells_names_sizes_and_owners_alone(user, token):
    user("put demo hf-token --from-env HF_TOKEN --owner 1000")
    done = user("list demo -o json")
    assert done.document["secrets"] == [
        {
            "name": "hf-token",
            "owner": 1000,
            "bytes": len(token),
            "path": "/run/ccgpu/secrets/hf-token",
        }
    ]
    assert "hf-token  34     1000   /run/ccgpu/secrets/hf-token" in user("list demo").out


@pytest.mark.slow
def test_putting_again_replaces(user):
    for value in (b"one", b"another"):
        assert user("put demo token --stdin", stdin=value).code == 0
        assert user.held == {"token": value}
    assert len(user.attester.challenges) == 2, "each release has a verdict of its own"


@pytest.mark.slow
def test_rm_removes_what_is_named_and_tells_what_is_not_there(user):
    for name in ("one", "two", "three"):
        user(f"put demo {name} --stdin", stdin=b"x")
    done = user("rm demo four one two one -o json")
    assert (done.document["action"], set(user.held)) == ("rm", {"three"})
    assert [one["name"] for one in done.document["secrets"]] == ["one", "two"]
    assert done.document["absent"] == ["four"]
    again = user("rm demo one three")
    assert (again.code, again.out) == (0, "demo: removed three; it holds no one\n")


@pytest.mark.slow
@pytest.mark.usefixtures("token")
def test_a_reboot_ends_all_secrets(user):
    user("put demo hf-token --from-env HF_TOKEN")
    assert user.shell("restart demo --backend fake").code == 0
    for words in ("list demo", "rm demo hf-token"):
        done = user(words)
        assert (done.code, "`ccgpu attest demo --backend fake`" in done.err) == (9, True)
    assert user.attester().code == 0
    assert user("list demo").out == "demo holds no secrets\n"
    assert user.held == {}


def test_list_asks_no_vm_that_was_not_attested(user):
    done = user("list demo")
    assert (done.code, done.out) == (9, "")


@pytest.mark.slow
def test_a_dry_run_proves_the_vm_and_reads_and_sends_nothing(user):
    done = user("put demo token --from-command 'touch ran' --dry-run")
    assert done.code == 0, done.err
    assert not Path("ran").exists()
    assert "dry run: no value was read, and nothing was released" in done.out
    assert (user.opened, user.held) == ([], {})
    assert user.attester.shown["state"] == "attested"
    answer = user("put demo token --from-command 'touch ran' --dry-run -o json").document
    assert (answer["dry_run"], answer["secrets"][0]["bytes"]) == (True, None)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ("token --from-env NOT_SET", 2, "NOT_SET is not set"),
        ("token --stdin", 2, "is a terminal"),
        ("token --from-command no-such-program", 2, "'no-such-program'"),
        ('token --from-command "pass \'x"', 2, "cannot be told apart"),
        ("token --from-file nowhere", 3, "No such file"),
        ("token --from-file large", 3, "more than 64 KiB"),
        ("token --from-env A-B", 2, "--from-env must be the name"),
        ("token --from-env HF_TOKEN --owner 4294967295", 2, "--owner must be at most"),
        ("token --from-env HF_TOKEN --stdin", 2, "one source"),
        ("token --from-env HF_TOKEN -f vm.yaml", 2, "leave out one"),
        ("Token --from-env HF_TOKEN", 2, "no name of a secret"),
        ("--from-env HF_TOKEN", 2, "has no name"),
        ("token --all", 2, "--all means every secret"),
        ("token --owner 5", 2, "--owner is for a source"),
        ("", 2, "say which secret"),
        ("token", 2, "has no secret token"),
        ("--all", 2, "has no secrets"),
        ("-f no-secrets.yaml", 2, "has no secrets"),
        ("-f bad.yaml", 3, "secrets.0.value"),
        ("token --from-env HF_TOKEN --policy gpu-only", 2, "does not look at the CPU"),
        ("token --from-env HF_TOKEN --policy cpu-only", 2, "asks for less than `default`"),
        ("token --from-env HF_TOKEN --policy loose.yaml", 2, "max_age"),
        ("token --from-env HF_TOKEN --save there.json", 2, "already exists"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_asked(user, token, words, code, text):
    Path("large").write_bytes(bytes(MOST_BYTES + 1))
    Path("no-secrets.yaml").write_text("name: demo\n")
    Path("bad.yaml").write_text(f"secrets:\n- name: token\n  value: {token}\n")
    _write_loose_policy()
    Path("there.json").touch()
    before = len(user.shell.arm.show()["requests"])
    done = user(f"put demo {words}")
    assert (done.code, text in done.err, done.out) == (code, True, ""), done.err
    assert token not in done.err
    assert len(user.shell.arm.show()["requests"]) == before
    assert (user.attester.challenges, user.opened) == ([], [])


@pytest.mark.slow
def test_a_loosened_policy_is_taken_with_the_flag_alone(user, token, monkeypatch):
    monkeypatch.setenv("CI", "true")
    _write_loose_policy()
    words = "put demo token --from-env HF_TOKEN --policy loose.yaml"
    done = user(words)
    assert (done.code, user.held) == (2, {})
    complete = f"`ccgpu secret {words} --backend fake --unsafe-allow-loosened-policy`"
    assert complete in done.err
    done = user(f"{words} --unsafe-allow-loosened-policy")
    assert done.code == 0, done.err
    assert "that policy asks for less than default: max_age: 48h instead of 24h" in done.out
    answer = user(f"{words} --unsafe-allow-loosened-policy --dry-run -o json").document
    assert answer["loosened"] == ["max_age"]
    assert user.held == {"token": token.encode()}


@pytest.mark.parametrize(("scenario", "code"), mostly_slow(_UNPROVEN, 3))
def test_to_a_vm_that_is_not_proven_nothing_is_read_or_sent(user, scenario, code):
    user.attester.scenario(scenario)
    done = user("put demo token --from-command 'touch ran' --timeout 5m")
    assert done.code == code, done.err
    assert not Path("ran").exists()
    assert user.opened == []


@pytest.mark.slow
@pytest.mark.usefixtures("token")
def test_the_evidence_of_a_rejected_vm_is_saved(user):
    user.attester.scenario("old-paravisor")
    done = user("put demo token --from-env HF_TOKEN --save rejected.json --report report.html")
    assert done.code == 9
    assert json.loads(Path("rejected.json").read_text())["verdict"]["verdict"] == "rejected"
    assert "REJECTED" in Path("report.html").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("name", mostly_slow(["crypto-absent", "disk", "swap", "write"], 4))
def test_a_vm_that_cannot_keep_a_secret_in_memory_is_named(user, name):
    user.attester.scenario(f"opener-{name}")
    done = user("put demo token --from-env HF_TOKEN -o json")
    assert (done.code, done.error["code"], user.held) == (10, "ReleaseFailed", {})
    assert done.error["hint"]


@pytest.mark.slow
def test_a_program_that_fails_releases_nothing(user):
    done = user(f"put demo token --from-command 'sh -c \"echo {CANARY}; exit 4\"'")
    assert (done.code, user.opened, user.held) == (2, [], {})
    assert "exit code 4" in done.err
    assert CANARY not in done.err + done.out


@pytest.mark.slow
@pytest.mark.parametrize(("cause", "arrives"), mostly_slow(_CUTS, 3))
def test_a_put_that_is_cut_off_leaves_the_old_values_or_the_new_ones(
    shell, prepared, cause, arrives
):
    user = SecretUser(prepared(shell, make_demo))
    Path("one").write_text("new-1")
    Path("two").write_text("new-2")
    Path("vm.yaml").write_text("secrets:\n- {name: one, file: one}\n- {name: two, file: two}\n")
    assert user("put demo one --stdin", stdin=b"old-1").code == 0

    def cut(send):
        if arrives:
            send()
        raise cause

    done = user.when_opening(cut)("put demo -f vm.yaml")
    assert done.code == {KeyboardInterrupt: 130, MemoryError: 1}.get(cause, 10)
    new = {"one": b"new-1", "two": b"new-2"}
    assert user.held == (new if arrives else {"one": b"old-1"})
    assert user("put demo -f vm.yaml").code == 0
    assert user.held == new


@pytest.fixture
def hears_interrupts():
    """A runner in the background may have been told to ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("hears_interrupts")
def test_an_interrupt_while_a_program_prints_its_secret_sends_nothing(user):
    Path("stop").write_text("#!/bin/sh\nprintf half; kill -INT $PPID; sleep 5\n")
    Path("stop").chmod(0o700)
    done = user("put demo token --from-command ./stop")
    assert (done.code, user.opened, user.held) == (130, [], {})


@pytest.mark.slow
def test_the_secrets_of_a_spec_are_put_with_its_owners(user, token):
    Path("specs").mkdir()
    Path("specs/key").write_bytes(b"\0\1")
    Path("specs/vm.yaml").write_text(
        "secrets:\n- {name: hf-token, env: HF_TOKEN, owner: 1000}\n- {name: key, file: key}\n"
    )
    assert user("put demo -f specs/vm.yaml").code == 0
    assert user.held == {"hf-token": token.encode(), "key": b"\0\1"}
    Path("specs/key").write_bytes(b"\2")
    assert user("put demo key -f specs/vm.yaml").code == 0
    assert user.held["key"] == b"\2"
    owners = {one["name"]: one["owner"] for one in user("list demo -o json").document["secrets"]}
    assert owners == {"hf-token": 1000, "key": 0}
    assert len(user.opened) == 2, "all of one put go in one message"


@pytest.mark.slow
def test_events_tell_names_and_never_values(user, token):
    done = user("put demo token --from-env HF_TOKEN -o json --events ndjson")
    texts = [one["text"] for one in done.events]
    assert "released token" in texts
    assert (done.events[-1]["what"], done.events[-1]["exit_code"]) == ("end", 0)
    assert token not in done.out + done.err


@pytest.mark.slow
def test_the_bytes_of_a_secret_are_in_the_vms_memory_and_nowhere_else(user, monkeypatch, tmp_path):
    sent: list[bytes] = []
    user.shell.arm.on_commit = lambda request, _: sent.append(
        request.url.encode() + (request.body or b"")
    )
    monkeypatch.setenv("HF_TOKEN", CANARY)
    results = [
        user(f"put demo token {words}", stdin=CANARY.encode())
        for words in (
            "--from-env HF_TOKEN --save saved.json --report report.html",
            "--stdin --events ndjson -o json",
            "--from-command 'printenv HF_TOKEN'",
            "--from-env HF_TOKEN --dry-run",
        )
    ]
    results += [user("list demo -o json"), user("list demo"), user.shell("show demo -o json")]
    assert [one.code for one in results] == [0] * len(results)
    Path("positive").write_text(CANARY)
    assert places_of(CANARY.encode(), tmp_path) == [str(tmp_path / "work" / "positive")]
    Path("positive").unlink()
    needles = (CANARY.encode(), CANARY.encode().hex().encode(), CANARY[5:20].encode())
    for needle in needles:
        assert not any(needle in (one.out + one.err).encode() for one in results)
        assert not any(needle in data for data in (*sent, *user.opened))
        assert places_of(needle, tmp_path) == []
    rows = _rows_with(user, CANARY.encode())
    assert rows == [("file", "/run/ccgpu/secrets/token")]
    assert user("rm demo token").code == 0
    assert _rows_with(user, CANARY.encode()) == []


def _rows_with(user: SecretUser, data: bytes) -> list[tuple[str, str]]:
    """The rows of the simulated subscription with these bytes: the file in a guest that each is."""
    copy = sqlite3.connect(":memory:")
    user.shell.arm._store._db.backup(copy)
    found = []
    for (table,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in copy.execute(f"SELECT * FROM {table}"):
            values = [one if isinstance(one, bytes) else str(one).encode() for one in row]
            if any(data in one for one in values):
                path = next((one.decode() for one in values if one.startswith(b"/run/")), "?")
                found.append(("file", path))
    return found
