"""What was probably meant: commands of other tools, misspelt commands, values and names."""

import shlex

import pytest

from ccgpu.cli.commands import COMMANDS
from ccgpu.cli.suggestions import OTHER_NAMES, explain, suggest

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


def test_a_delete_of_a_misspelt_deployment_names_the_one_that_still_bills(shell, prepared):
    prepared(shell, _CREATE)
    done = shell("delete dmeo --yes")
    assert (done.code, "hint: did you mean demo? `ccgpu list" in done.err) == (0, True)
    elsewhere = shell("delete demo -g other --yes")
    assert "there is no deployment demo in the resource group other" in elsewhere.out


def test_a_message_without_choices_is_left_as_it_is():
    assert explain("missing argument 'NAME'") == "missing argument 'NAME'"
    text = """invalid value for '-x': Value error, "it's" is not one of 'a', 'its'"""
    told = """invalid value for '-x': "it's" is not one of 'a', 'its'. Did you mean 'its'?"""
    assert explain(text) == told
    assert suggest("zzz", ["a"]) == ""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "completion",
            "missing argument 'shell': give one of bash, zsh, fish\n",
        ),
        (
            "create demo --data-disk x",
            "'--data-disk': must be a whole number\n\nhint: `ccgpu ",
        ),
        ("create demo --max-price x", "'--max-price': must be a number\n"),
        ("image publish x --gallery g --replicas 101", "'--replicas': must be at most 100\n"),
        ("image publish x --gallery g --replicas 0", "'--replicas': must be at least 1\n"),
        ("create demo --tag x", "'--tag': 'x' has no '=': write --tag NAME=VALUE\n"),
        ("fake scenario quota-zer", "value for 'NAME|FILE': 'quota-zer' is neither a file nor"),
        ("fake scenario quota-zer", "Did you mean 'quota-zero'?\n"),
        ("create demo --ttl", "'--ttl' requires an argument\n\nhint: `ccgpu create --help`\n"),
        ("config set --quiet --query", '"hint": "`ccgpu config set --help`"'),
    ],
)
def test_an_error_of_the_parser_names_option_problem_and_help(shell, line, told):
    done = shell(line)
    assert (done.code, told in done.err) == (2, True), done.err


@pytest.mark.parametrize("group", ["config", "secret", "image", "fake"])
def test_the_help_of_a_group_cuts_no_line_off(shell, capsys, group):
    shell(f"{group} --help")
    told = capsys.readouterr().out
    assert "Commands:" in told
    assert "..." not in told.partition("Commands:")[2]
