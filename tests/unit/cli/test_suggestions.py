"""What was probably meant: commands of other tools, misspelt commands, values and names."""

import shlex

import pytest

from ccgpu.cli.commands import COMMANDS
from ccgpu.cli.suggestions import OTHER_NAMES, explain_choice, suggest

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"


@pytest.mark.parametrize(("word", "own"), OTHER_NAMES.items())
def test_a_command_of_another_tool_is_told_what_it_is_here(shell, word, own):
    assert word not in COMMANDS
    done = shell(f"{word} demo")
    assert done.code == 2
    assert f"no such command '{word}'" in done.err
    assert f"did you mean `{own}" in done.err
    command = shlex.split(own)[1]
    assert command.startswith("--") or command in COMMANDS


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("lst", "'list'"),
        ("wait demo --for reday", "'ready'"),
        ("list -o jsn", "'json'"),
        ("list --backend fke", "'fake'"),
        ("create demo --tempalte spot", "--template"),
    ],
)
def test_what_was_misspelt_is_named(shell, line, meant):
    done = shell(line)
    assert (done.code, meant in done.err, "Value error" in done.err) == (2, True, False), done.err


@pytest.mark.parametrize("line", ["show dmeo", "extend dmeo --ttl 4h", "start dmeo", "ssh dmeo"])
def test_a_misspelt_deployment_is_named(shell, prepared, line):
    prepared(shell, _CREATE)
    done = shell(line)
    assert done.code == 4
    assert "hint: did you mean demo? `ccgpu list" in done.err
    assert "did you mean" not in shell(line.replace("dmeo", "entirely-else")).err


def test_a_message_without_choices_is_left_as_it_is():
    assert explain_choice("missing argument 'NAME'") == "missing argument 'NAME'"
    text = """invalid value for '-x': Value error, "it's" is not one of 'a', 'its'"""
    told = """invalid value for '-x': "it's" is not one of 'a', 'its'. Did you mean 'its'?"""
    assert explain_choice(text) == told
    assert suggest("zzz", ["a"]) == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("completion", "missing argument 'shell': give one of bash, zsh, fish"),
        ("render", "missing option '--format': give one of arm, az, terraform"),
    ],
)
def test_a_missing_choice_is_named_in_one_line(shell, words, message):
    assert shell(words).err.splitlines()[0] == f"error: {message}"
