"""Habits of command lines that no other test holds; docs/conventions.md has the table of all."""

import io
import json
import os
import subprocess
import sys

import pytest

from ccgpu.cli.console import console
from ccgpu.cli.main import process_runtime
from ccgpu.store import folders
from support.parsed import all_commands

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_is_an_answer(shell, capsys, word):
    for line in (word, f"create {word}", f"fake {word}", f"fake show {word}"):
        assert shell(line).code == 0
        printed = capsys.readouterr()
        assert printed.out.startswith("Usage: ccgpu")
        assert printed.err == ""


def test_each_command_has_both_words_for_help_whatever_used_it_first():
    without = [
        " ".join(path)
        for path, command in all_commands()
        if set(command.make_context(path[-1], [], resilient_parsing=True).help_option_names)
        != {"-h", "--help"}
    ]
    assert without == []


def test_without_a_command_the_help_is_a_message(shell):
    done = shell("")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: ccgpu")


@pytest.mark.parametrize(("name", "coloured"), [("NO_COLOR", False), ("OTHER", True)])
def test_colours_can_be_turned_off(monkeypatch, name, coloured):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv(name, "1")
    stream = _Terminal()
    console(stream).print("accepted", style="green")
    assert ("\x1b[32m" in stream.getvalue()) is coloured


def test_a_pipe_gets_no_control_sequences(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = io.StringIO()
    console(stream).print("accepted", style="green")
    assert stream.getvalue() == "accepted\n"


@pytest.mark.slow
@pytest.mark.parametrize("terminal", [False, True])
def test_a_quiet_command_prints_its_answer_and_its_error_alone(shell, terminal):
    shell.terminal = terminal
    shell.ask = lambda _: pytest.fail("asked")
    done = shell(f"{_CREATE} -q")
    assert (done.code, done.err) == (0, "")
    assert "eastus2" in done.out
    for line in ("attest demo --quiet --backend fake", "stop demo -q", "start demo -q"):
        assert shell(line).err == ""
    done = shell("delete demo -q")
    assert (done.code, done.out) == (2, "")
    assert (
        done.err.splitlines()[0]
        == "error: refusing to delete demo and its data without confirmation"
    )
    assert shell("delete demo -yq").err == ""
    assert shell("show nobody -q -o json").error["exit_code"] == 4


def test_what_answers_can_be_quiet():
    for _, command in all_commands():
        names = {one.name for one in command.params}
        assert ("quiet" in names) == ("output" in names)


@pytest.mark.parametrize("variable", ["CI", ""])
def test_nothing_is_asked_in_ci_or_without_a_terminal(monkeypatch, variable):
    terminals = bool(variable)
    monkeypatch.setattr(sys, "stdin", _Terminal() if terminals else io.StringIO())
    monkeypatch.setattr(sys, "stderr", _Terminal() if terminals else io.StringIO())
    assert (process_runtime().ask is not None) is terminals
    if variable:
        monkeypatch.setenv(variable, "true")
    assert process_runtime().ask is None
    assert process_runtime().ask_secret is None


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, whose folders follow XDG")
def test_files_are_in_the_folders_of_xdg(monkeypatch, tmp_path):
    for name in ("STATE", "CONFIG", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    assert folders.state() == tmp_path / "STATE" / "ccgpu"
    config = folders.config()
    assert config is not None
    assert config.parent == tmp_path / "CONFIG" / "ccgpu"


@pytest.mark.slow
def test_no_pager_is_started(tmp_path):
    trap = tmp_path / "trap"
    pager = tmp_path / "pager"
    pager.write_text(f"#!/bin/sh\ntouch {trap}\ncat\n")
    pager.chmod(0o755)
    more = {"PAGER": str(pager), "MANPAGER": str(pager), "GH_PAGER": str(pager)}
    command = [sys.executable, "-m", "ccgpu", "schema", "output", "create"]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **more}, check=True)
    assert json.loads(done.stdout)["title"] == "ccgpu.create/1"
    assert not trap.exists()


@pytest.mark.slow
def test_tables_have_no_borders(shell, prepared):
    prepared(shell, _CREATE)
    for line in ("list", "show demo", "plan demo", "quota --region eastus2", "fake show"):
        assert not set(shell(line).out) & set("|│┃─━═+┌└┐┘├┤") - {"+"}


def test_options_end_at_two_dashes(shell):
    done = shell("exec demo --require-attested -- --version")
    assert "no such option" not in done.err
    assert shell("show -- --version").err.startswith("error: invalid value for 'NAME'")
