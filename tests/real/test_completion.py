"""Completion in real shells: a line is typed, a key is pressed, and the shell makes words of it."""

from pathlib import Path

import pytest

from support import shells
from support.repository import ROOT
from support.slow import mostly_slow

_SCRIPTS = ROOT / "templates" / "completion"
_FILES = ("my file.yaml", "it's.yaml", "cpu-only-mine.yaml", "$(touch pwned).yaml", "data/x")
_LINES = [
    # what is typed, and the words after `ccgpu` that the shell makes of the completed line
    ("ccgpu cp de", ["cp", "demo:"]),
    ("ccgpu sho", ["show"]),
    ("ccgpu show de", ["show", "demo"]),
    ('ccgpu show "de', ["show", "demo"]),
    ("ccgpu show demo --output=j", ["show", "demo", "--output=json"]),
    ("ccgpu create -f my", ["create", "-f", "my file.yaml"]),
    ('ccgpu create -f "my', ["create", "-f", "my file.yaml"]),
    (r"ccgpu create -f my\ f", ["create", "-f", "my file.yaml"]),
    ("ccgpu create --file=my", ["create", "--file=my file.yaml"]),
    ("ccgpu validate it", ["validate", "it's.yaml"]),
    ("ccgpu validate '$(", ["validate", "$(touch pwned).yaml"]),
    ("ccgpu verify --policy cpu-only-", ["verify", "--policy", "cpu-only-mine.yaml"]),
    ("ccgpu create --set os_disk.encryption=f", ["create", "--set", "os_disk.encryption=full"]),
    ("ccgpu create --image Can", ["create", "--image", "Canonical:ubuntu-24_04-lts:cvm:latest"]),
    ('ccgpu show "a b" --back', ["show", "a b", "--backend"]),
]

_CASES = [pytest.param(*line) for line in _LINES]


@pytest.fixture
def user(home: Path) -> Path:
    """A user with deployments, hostile names among the journals, and files."""
    journals = home / "state" / "ccgpu" / "journals" / "s"
    journals.mkdir(parents=True)
    for name in ("demo", "web-1", *shells.HOSTILE_NAMES):
        (journals / f"{name}.json").touch()
    for name in _FILES:
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).touch()
    return home


def _words_of(shell_name: str, home: Path, line: str) -> list[str]:
    """The words that bash or zsh makes of the line after a Tab, without `ccgpu`."""
    shells.require(shell_name)
    start = shells.bash if shell_name == "bash" else shells.zsh
    with start(home, _SCRIPTS / f"ccgpu.{shell_name}") as terminal:
        program, *words = terminal.words(line)
    assert program == "ccgpu"
    return words


@pytest.mark.parametrize(("line", "words"), mostly_slow(_CASES, 20, 4))
@pytest.mark.parametrize("shell_name", ["bash", "zsh"])
def test_a_line_is_completed(shell_name, user, line, words):
    assert _words_of(shell_name, user, line) == words
    assert not list(user.rglob("pwned"))


@pytest.mark.parametrize(("line", "words"), mostly_slow(_CASES, 20, 4))
def test_fish_completes_a_line(user, line, words):
    shells.require("fish")
    assert [*shells.fish_offers(user, _SCRIPTS / "ccgpu.fish", line)] == words[-1:]
    assert not list(user.rglob("pwned"))


@pytest.mark.slow
def test_bash_offers_names_and_files_alike(user):
    shells.require("bash")
    insert_all = "\x1b*"
    with shells.bash(user, _SCRIPTS / "ccgpu.bash") as terminal:
        assert terminal.words("ccgpu show ", insert_all)[2:] == ["demo", "web-1"]
        policies = ["cpu-only", "cpu-only-mine.yaml"]
        assert terminal.words("ccgpu attest --policy cpu", insert_all)[3:] == policies
        assert terminal.words("ccgpu cp d", insert_all)[2:] == ["data/", "demo:"]
        folders = terminal.words("ccgpu collateral fetch x --out d", insert_all)
        assert folders[5:] == ["data"]
        assert terminal.words("ccgpu validate '$(", insert_all)[2:] == ["$(touch pwned).yaml"]
        terminal.run("alias c=ccgpu; complete -F _ccgpu c")
        assert terminal.words("FOO=1 c show we") == ["FOO=1", "c", "show", "web-1"]
        assert terminal.words("~/bin/ccgpu show we")[1:] == ["show", "web-1"]
    assert not list(user.rglob("pwned"))


@pytest.mark.slow
def test_zsh_lists_names_and_commands_with_their_descriptions(user):
    shells.require("zsh")
    with shells.zsh(user, _SCRIPTS / "ccgpu.zsh") as terminal:
        terminal.send("ccgpu show \t")
        assert "web-1" in terminal.read_until("deployment")
        terminal.send("\x15ccgpu st\t")
        assert terminal.read_until("until it is ready.")


@pytest.mark.slow
def test_zsh_finds_the_script_in_a_folder_of_fpath(user):
    shells.require("zsh")
    folder = user / "functions"
    folder.mkdir()
    (folder / "_ccgpu").write_text((_SCRIPTS / "ccgpu.zsh").read_text())
    start = user / "start.zsh"
    start.write_text(f"fpath=({folder} $fpath); compinit -u -d ./zcompdump2\n")
    with shells.zsh(user, start) as terminal:
        assert terminal.words("ccgpu show de") == ["ccgpu", "show", "demo"]
        assert terminal.words("~/bin/ccgpu show we")[1:] == ["show", "web-1"]
        terminal.run("setopt complete_aliases; alias c=ccgpu; compdef c=ccgpu")
        assert terminal.words("c show we")[1:] == ["show", "web-1"]


@pytest.mark.slow
def test_fish_offers_words_with_their_descriptions(user):
    shells.require("fish")
    script = _SCRIPTS / "ccgpu.fish"
    assert shells.fish_offers(user, script, "ccgpu show ") == {
        "demo": "deployment",
        "web-1": "deployment",
    }
    assert shells.fish_offers(user, script, "ccgpu star") == {
        "start": "Start the VM and wait until it is ready."
    }
    assert [*shells.fish_offers(user, script, "~/bin/ccgpu show we")] == ["web-1"]
    assert [*shells.fish_offers(user, script, "ccgpu verify --policy cpu")] == [
        "cpu-only",
        "cpu-only-mine.yaml",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("shell_name", ["bash", "zsh"])
def test_nothing_is_said_where_ccgpu_does_not_start(shell_name, user):
    shells.environment(user)
    (user / "bin" / "ccgpu").write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    assert _words_of(shell_name, user, "ccgpu show de") == ["show", "de"]


@pytest.mark.slow
@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_what_is_typed_is_not_run(shell_name, user):
    shells.require(shell_name)
    script = _SCRIPTS / f"ccgpu.{shell_name}"
    line = "ccgpu exec $(touch pwned) --subs"
    if shell_name == "fish":
        assert [*shells.fish_offers(user, script, line)] == ["--subscription"]
    else:
        start = shells.bash if shell_name == "bash" else shells.zsh
        with start(user, script) as terminal:
            terminal.send(f"{line}\t")
            terminal.read_until("--subscription")
            terminal.send("\x15")
            terminal.run("true")
    assert not list(user.rglob("pwned"))
