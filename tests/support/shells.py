"""Real shells with ccgpu's completion: a line is typed into them, and a key asks for completion."""

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

_SILENCE = 30.0  # seconds after which a shell that says nothing has failed
_END = "~end~"
# Names of files among the journals that no deployment has.
HOSTILE_NAMES = (
    "$(touch pwned)",
    "`id`",
    "a b",
    "a\nb",
    "UPPER",
    "-rf",
    "a;b",
    "a\tb",
    "'",
    "é",
    "a" * 80,
)


def require(*programs: str) -> None:
    """Skip the test unless these are installed."""
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"needs {program}")


class Terminal:
    """An interactive shell on a terminal."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def send(self, keys: str) -> None:
        """Type these keys."""
        os.write(self._fd, keys.encode())

    def read_until(self, text: str) -> str:
        """All that is shown until `text`, with it."""
        shown = ""
        while text not in shown:
            ready, _, _ = select.select([self._fd], [], [], _SILENCE)
            assert ready, f"{text!r} is not shown, but {shown!r}"
            shown += os.read(self._fd, 65536).decode(errors="replace")
        return shown

    def run(self, command: str) -> None:
        """Run a command to its end."""
        self.send(f"{command}; echo ~en''d~\r")
        self.read_until(f"{_END}\r\n")

    def words(self, line: str, keys: str = "\t") -> list[str]:
        """Type a line and the keys; the words that the shell then makes of the line."""
        self.send(f"{line}{keys}")
        self.send("\x01show_words \r")
        shown = self.read_until(_END)
        return shown.rpartition("<<")[2].partition(">>")[0].split("|")


@contextmanager
def _started(command: list[str], environ: Mapping[str, str], folder: Path) -> Iterator[Terminal]:
    outer, inner = pty.openpty()
    termios.tcsetwinsize(inner, (60, 160))
    with subprocess.Popen(
        command,
        stdin=inner,
        stdout=inner,
        stderr=inner,
        cwd=folder,
        env=environ,
        start_new_session=True,
    ) as child:
        os.close(inner)
        try:
            yield Terminal(outer)
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            os.close(outer)


def environment(home: Path) -> dict[str, str]:
    """The environment of a user whose `ccgpu` is this one."""
    folder = home / "bin"
    if not folder.exists():
        folder.mkdir(parents=True)
        program = folder / "ccgpu"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ccgpu "$@"\n')
        program.chmod(0o755)
    kept = {
        name: os.environ[name] for name in ("XDG_STATE_HOME", "PYTHONPATH") if name in os.environ
    }
    return kept | {
        "HOME": str(home),
        "PATH": f"{folder}:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
    }


@contextmanager
def bash(home: Path, script: Path) -> Iterator[Terminal]:
    """bash that has read the script."""
    with _started(["bash", "--norc", "--noprofile", "-i"], environment(home), home) as terminal:
        terminal.send("bind 'set enable-bracketed-paste off'\r")
        terminal.run("show_words() { local IFS='|'; printf '<<%s>>%s\\n' \"$*\" ~en''d~; }")
        terminal.run(f"source {script}")
        yield terminal


@contextmanager
def zsh(home: Path, script: Path) -> Iterator[Terminal]:
    """zsh that has read the script."""
    with _started(["zsh", "-f", "-i"], environment(home), home) as terminal:
        terminal.run("unsetopt PROMPT_SP; autoload -Uz compinit; compinit -u -d ./zcompdump")
        terminal.run("show_words() { local IFS='|'; print -r -- \"<<$*>>\"~en''d~; }")
        terminal.run(f"source {script}")
        yield terminal


def fish_offers(home: Path, script: Path, line: str) -> dict[str, str]:
    """What fish offers at the end of a line, each with its description."""
    command = ["fish", "--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"', "--"]
    done = subprocess.run(
        [*command, str(script), line],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    rows = (row.partition("\t") for row in done.stdout.splitlines())
    return {word: text for word, _, text in rows}
