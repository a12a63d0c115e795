"""What README shows of `ccgpu verify` is what it does: each block is run, and compared."""

import re
from dataclasses import replace

import pytest

from support.repository import ROOT

_LEFT_OUT = "…"  # any lines, at least one


def _blocks():
    """The blocks of the section on verification, as steps: a command, and what it shows."""
    text = (ROOT / "README.md").read_text()
    (section,) = re.findall(r"(?ms)^## Verify evidence\n(.*?)^## ", text)
    for block in re.findall(r"(?ms)^```console\n(.*?)^```", section):
        steps = re.split(r"(?m)^\$ ", block.replace("\\\n", " "))
        yield [step.partition("\n")[::2] for step in steps if step]


def shows(output: str, shown: str) -> bool:
    """Whether the lines are the output; the line `…` stands for others."""
    parts = re.split(rf"(?m)^{_LEFT_OUT}\n", shown)
    pattern = r"(?:.*\n)+".join(map(re.escape, parts))
    return re.fullmatch(pattern, output) is not None


@pytest.mark.parametrize("steps", [*_blocks()])
def test_a_block_shows_what_happens(shell, steps):
    wide = replace(shell, width=120)
    for command, shown in steps:
        words, echo, _ = command.partition("; echo $?")
        done = wide(words.removeprefix("ccgpu "))
        output = done.out + done.err + (f"{done.code}\n" if echo else "")
        assert shows(output, shown), f"$ {command}\n{output}"


def test_the_blocks_are_found():
    commands = [command for steps in _blocks() for command, _ in steps]
    assert len(commands) >= 5
    assert all(command.startswith("ccgpu verify ") for command in commands)


@pytest.mark.parametrize(
    ("shown", "same"),
    [
        ("a\nb\nc\n", True),
        ("a\n…\n", True),
        ("…\nc\n", True),
        ("a\n…\nc\n", True),
        ("a\nc\n", False),
        ("a\nb\n", False),
        ("a\n…\nb\n…\n", False),  # nothing is left out between them
    ],
)
def test_only_what_is_left_out_by_a_line_may_be_missing(shown, same):
    assert shows("a\nb\nc\n", shown) is same
