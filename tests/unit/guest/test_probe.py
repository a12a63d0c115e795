"""The probe: its script answers what it is asked, and its answer is read strictly."""

import json
import subprocess
import sys

import pytest

from ccgpu.errors import GuestNotReady
from ccgpu.guest import probe


def ask(commands=None, files=(), tails=None):
    request = {"commands": commands or {}, "files": list(files), "tails": tails or {}}
    done = subprocess.run(
        [sys.executable, "-", probe.NAME, json.dumps(request)],
        input=probe.script(),
        capture_output=True,
        check=True,
    )
    return probe.parse(done.stdout)


def test_the_script_runs_commands_and_reads_files(tmp_path):
    file = tmp_path / "log"
    file.write_text("one\ntwo\nthree\n")
    commands = {
        "good": ["sh", "-c", "echo out; echo err >&2"],
        "bad": ["sh", "-c", "exit 6"],
        "absent": ["no-such-command"],
    }
    found = ask(commands, [str(file), str(tmp_path / "none")], {str(file): 2, "/no/file": 2})
    assert found.command("good") == probe.CommandResult(0, "out\n", "err\n")
    assert found.command("bad").exit_code == 6
    assert found.command("absent").exit_code is None
    assert found.files == {str(file): "one\ntwo\nthree\n", str(tmp_path / "none"): None}
    assert found.tails == {str(file): ("two", "three"), "/no/file": ()}


def test_the_script_bounds_what_it_returns():
    found = ask({"big": ["sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x"]})
    assert len(found.command("big").stdout) == 65536


def test_a_command_sees_neither_the_callers_environment_nor_its_input(monkeypatch):
    monkeypatch.setenv("LC_MESSAGES", "de_DE.UTF-8")
    found = ask({"env": ["env"], "in": ["cat"]})
    assert "LC_MESSAGES" not in found.command("env").stdout
    assert "LC_ALL=C" in found.command("env").stdout
    assert found.command("in") == probe.CommandResult(0, "", "")


def test_the_command_line_carries_the_whole_request_as_one_word():
    *words, request = probe.command_line()
    assert words == ["sudo", "-n", "python3", "-", probe.NAME]
    asked = json.loads(request)
    assert {key: tuple(argv) for key, argv in asked["commands"].items()} == dict(probe.COMMANDS)
    assert asked["files"] == list(probe.FILES)


def test_no_command_of_the_probe_changes_anything():
    words = {word for argv in probe.COMMANDS.values() for word in argv}
    assert not words & {"-srs", "-s", "--set", "start", "restart", "install"}


@pytest.mark.parametrize(
    "stdout",
    [
        b"",
        b"sudo: a password is required",
        b"[]",
        b"{}",
        b'{"schema": "ccgpu.probe/2", "commands": {}, "files": {}, "tails": {}}',
        b'{"schema": "ccgpu.probe/1", "commands": {"a": 1}, "files": {}, "tails": {}}',
        b'{"schema": "ccgpu.probe/1", "commands": {"a": {"exit": "0", "stdout": "", '
        b'"stderr": ""}}, "files": {}, "tails": {}}',
        b'{"schema": "ccgpu.probe/1", "commands": {}, "files": [], "tails": {}}',
        b"[" * 100000,
    ],
)
def test_another_answer_is_refused(stdout):
    with pytest.raises(GuestNotReady, match="cannot be read"):
        probe.parse(stdout)
