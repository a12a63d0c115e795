"""How each shell's script is answered, and the names that come from journals."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.cli.completion_shells import answer, deployments, split_line
from support.shells import HOSTILE_NAMES

_BREAKS = " \t\n\"'@><=;|&(:"


def _journal(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").touch()


@pytest.fixture
def state(home) -> Path:
    """The state folder of a machine with a deployment, a simulated one, and hostile names."""
    state: Path = home / "state" / "ccgpu"
    _journal(state / "journals" / "one", "demo")
    _journal(state / "journals" / "two", "web-1")
    _journal(state / "fake.sqlite.journals" / "s", "toy")
    for name in HOSTILE_NAMES:
        _journal(state / "journals" / "one", name)
    return state


def _answer(*words: str, **environ: str) -> list[str]:
    given_ = answer(words, environ)
    assert given_ is not None
    return given_.splitlines()


def _to_bash(line: str, breaks: str = _BREAKS) -> list[str]:
    return _answer("bash", breaks, f"ccgpu {line}")


@pytest.mark.usefixtures("state")
def test_names_are_those_of_journals_and_hostile_ones_are_none():
    names = {"toy": "simulated", "demo": "deployment", "web-1": "deployment"}
    assert deployments(None, {}) == deployments(None, {"CCGPU_BACKEND": ""}) == names
    assert deployments("fake", {}) == {"toy": "simulated"}
    assert [*deployments(None, {"CCGPU_BACKEND": "azure"})] == ["demo", "web-1"]
    assert [*deployments("fake", {"CCGPU_BACKEND": "azure"})] == ["toy"]
    assert deployments("nonsense", {}) == {}


@pytest.mark.usefixtures("state")
def test_the_simulated_subscription_may_be_kept_elsewhere(tmp_path):
    _journal(tmp_path / "elsewhere.journals" / "s", "far")
    elsewhere = {"CCGPU_FAKE_STATE": str(tmp_path / "elsewhere")}
    assert deployments("fake", elsewhere) == {"far": "simulated"}


@pytest.mark.usefixtures("home")
def test_without_a_state_folder_there_are_no_names():
    assert deployments(None, {}) == {}
    assert _to_bash("show ") == ["words space 0"]


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("show d", ["words space 0", "demo"]),
        ('show "d', ["words space 0", "demo"]),
        ("show 'we", ["words space 0", "web-1"]),
        ("show --output=j", ["words space 9", "json"]),
        ('show --output="j', ["words space 9", "json"]),
        ("cp de", ["files nospace 0", "demo:"]),
        ("create --image Canonical:ub", ["words space 0", "ubuntu-24_04-lts:cvm:latest"]),
        ("create --set os_disk.encryption=f", ["words space 19", "full"]),
        ("create -f a\\ b --backend f", ["words space 0", "fake"]),
        ("nonsense ", ["words space 0"]),
    ],
)
def test_bash_gets_the_words_that_fit_without_what_readline_keeps(line, lines):
    assert _to_bash(line) == lines


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("show --output=j", ["words space 9", "--output=json"]),
        ("create --image Canonical:ub", ["words space 0", "Canonical:ubuntu-24_04-lts:cvm:latest"]),
    ],
)
def test_a_bash_without_these_word_breaks_gets_whole_words(line, lines):
    assert _to_bash(line, " \t\n") == lines


@pytest.mark.usefixtures("state")
def test_zsh_and_fish_get_descriptions_and_choose_themselves():
    rows = ["words space 0", "toy\tsimulated", "demo\tdeployment", "web-1\tdeployment"]
    assert _answer("zsh", "show", "x") == _answer("fish", "show", "x") == rows
    assert _answer("zsh", "show", "--output=j") == ["words space 9", "text", "json", "tsv"]
    whole = ["--output=text", "--output=json", "--output=tsv"]
    assert _answer("fish", "show", "--output=j") == ["words space 9", *whole]


@pytest.mark.parametrize(
    "words", [[], ["bash"], ["bash", ""], ["bash", "", "", ""], ["zsh"], ["sh", ""]]
)
def test_other_words_are_not_answered(words):
    assert answer(words, {}) is None


@pytest.mark.slow
@given(
    st.lists(
        st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"])), max_size=4
    )
)
def test_a_line_is_split_as_a_shell_does(words):
    assert split_line(shlex.join(["ccgpu", *words]) + " ", _BREAKS) == ([*words, ""], 0)


@pytest.mark.parametrize(
    ("line", "words", "split"),
    [
        ("ccgpu", [""], 0),
        ("ccgpu ", [""], 0),
        ("ccgpu  a   b", ["a", "b"], 0),
        ("ccgpu a=b:c", ["a=b:c"], 4),
        ("ccgpu a=b ", ["a=b", ""], 0),
        ("ccgpu 'a=b", ["a=b"], 0),
        ("ccgpu a\\=b", ["a=b"], 0),
        ("ccgpu a='b c'd", ["a=b cd"], 2),
        ('ccgpu "a\\"b" ""', ['a"b', ""], 0),
        ("ccgpu 'a\\' b", ["a\\", "b"], 0),
        ("ccgpu a\\", ["a"], 0),
    ],
)
def test_unfinished_lines_are_split_too(line, words, split):
    assert split_line(line, _BREAKS) == (words, split)


@pytest.mark.usefixtures("state")
def test_the_answer_loads_neither_the_parser_nor_pydantic_nor_the_sdk():
    command = [sys.executable, "-X", "importtime", "-m", "ccgpu", "__complete", "zsh", "show", ""]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "demo\tdeployment" in done.stdout.splitlines()
    loaded = {row.rsplit("|", 1)[-1].strip() for row in done.stderr.splitlines()}
    assert "ccgpu.cli.completing" in loaded
    heavy = (
        r"(pydantic|typer|rich|yaml|azure|requests|cryptography|jmespath|ccgpu\.cli\.main)(\.|$)"
    )
    assert [name for name in loaded if re.match(heavy, name)] == []


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_the_script_is_printed(shell, shell_name):
    shown = shell(f"completion {shell_name}")
    assert (shown.code, shown.err) == (0, "")
    assert f"__complete {shell_name} " in shown.out


def test_an_unknown_shell_is_a_usage_error(shell):
    assert shell("completion tcsh").code == 2
