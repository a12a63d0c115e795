"""Options that name what a command writes: `-` is none of it."""

import re

import pytest

from support.parsed import all_commands

# Each option of a file or a folder whose help says that it is written. `init --file -` prints.
_PRINTS = {"init --file"}
_WRITTEN = {
    "attest --record": "file",
    "attest --report": "file",
    "attest --save": "file",
    "collateral fetch --out": "folder",
    "create --output-dir": "folder",
    "image build --lock": "file",
    "image build --out": "folder",
    "keyvault policy --out": "file",
    "render --out": "file",
    "run --model-lock": "file",
    "run --output-dir": "folder",
    "secret put --report": "file",
    "secret put --save": "file",
    "verify --record": "file",
    "verify --report": "file",
    "verify --save": "file",
}


def test_the_table_has_each_option_that_writes():
    says = re.compile(r"\b(write|written|new|save)\b", re.IGNORECASE)
    found = {
        f"{' '.join(path)} {option.opts[0]}"
        for path, command in all_commands()
        for option in command.params
        if option.metavar in ("FILE", "DIR") and option.param_type_name == "option"
        if says.search(option.help or "")
    }
    assert found - _PRINTS == _WRITTEN.keys()


@pytest.mark.parametrize("words", _WRITTEN)
def test_a_dash_is_refused(shell, words):
    done = shell(f"{words} -")
    option = words.split()[-1]
    assert done.code == 2
    assert f"{option} writes a {_WRITTEN[words]}; `-` is not one" in done.err
    prints = words in ("keyvault policy --out", "render --out")
    assert (f"leave {option} out" if prints else "is `./-`") in done.err


def test_a_file_can_still_have_this_name(shell):
    spec = "--region eastus2 --ssh-from 203.0.113.7/32"
    assert shell(f"render demo {spec} --format arm --out ./-").code == 0
    assert (shell.folder / "work" / "-").exists()
