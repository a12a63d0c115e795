"""A shell on the simulated subscription, in a home of its own, in which commands run one by one.

What `verify` judges is simulated as well, which it believes only where the command line says so:
here `ccgpu verify` is `ccgpu verify --backend fake`. Nothing else differs from what readers type.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from commands import ROOT

_SETTLE = 0.5  # seconds between the last line of a command and its interrupt
_END = "\x1e"  # before the exit code, after each command's output
_LIMIT = 600.0  # seconds for one page, many times what the longest takes
# A process that was started in the background ignores SIGINT, and so does all that it starts.
_START_BASH = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp("bash", ["bash", "--noprofile", "--norc"])
"""
_CCGPU = """#!/bin/sh
if [ "$1" = verify ] && [ "$2" != --example ]; then
  shift; exec {ccgpu} verify --backend fake "$@"
fi
exec {ccgpu} "$@"
"""
_PYTHON = '#!/bin/sh\nexec {python} "$@"\n'  # that of `.venv`: another one would make it anew


class SessionError(Exception):
    """The shell has ended, or what comes before a block has failed."""


# Keys of simulated hardware, of servers and of users are new each time, and so are ports.
_CHANCE = re.compile(
    r"\b[0-9a-f]{12,}…[0-9a-f]*|SHA256:[\w+/]{43}|(?<=IDENTITY_HEADER=)\w+"
    r"|(?<=localhost:)\d+|(?<=127\.0\.0\.1:)\d+|(?<=sqlite\.az-)\d+"
)


class Ended(NamedTuple):
    """What a command has printed, and its exit code."""

    output: str
    code: int

    def steady(self) -> "Ended":
        """The same without what is chance."""
        return self._replace(output=_CHANCE.sub("…", self.output))


class ConsoleSession:
    """A running shell."""

    def __init__(self, process: "subprocess.Popen[bytes]", home: Path) -> None:
        self._process = process
        self._home = home

    def run(self, command: str) -> Ended:
        """Run a command, without input, to its end."""
        self._write(f"{{\n{command}\n}} </dev/null 2>&1\nprintf '{_END}%s\\n' \"$?\"\n")
        output, code = "", ""
        while not code:
            line = self._line()
            text, end, code = line.partition(_END)
            output += text if end else line
        return Ended(self._readable(output), int(code))

    def run_until(self, command: str, lines: int) -> Ended:
        """Run a command, and interrupt it after so many lines.

        How far simulated time has gone by then is chance: the home is as before.
        """
        saved, pid = self._home.with_name("saved"), self._home.with_name("pid")
        shutil.copytree(self._home, saved, symlinks=True)
        own = f'( printf %s "$BASHPID" >"{pid}"; exec {command}\n) </dev/null 2>&1'
        self._write(f"{own}\nprintf '{_END}%s\\n' \"$?\"\n")
        output = ""
        for _ in range(lines):
            line = self._line()
            if _END in line:  # it has ended by itself
                return Ended(self._readable(output), int(line.partition(_END)[2]))
            output += line
        time.sleep(_SETTLE)
        os.kill(int(pid.read_text()), signal.SIGINT)
        while _END not in (line := self._line()):
            pass
        self._restore(saved)
        return Ended(self._readable(output), int(line.partition(_END)[2]))

    def leave_running(self, command: str, lines: int) -> Ended:
        """Start a command that goes on beside the next ones, and wait for so many lines of it."""
        output = self._home.with_name("left-running")
        output.touch()
        done = self.run(f"( exec {command}\n) >{output} &\nleft=$!")
        while output.read_bytes().count(b"\n") < lines and not done.code:
            done = self.run("sleep 0.1; kill -0 $left")
        return Ended(self._readable(output.read_text() + done.output), done.code)

    def _restore(self, saved: Path) -> None:
        """Fill the home anew; it stays the working folder of the shell."""
        for each in self._home.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)
            else:
                each.unlink()
        shutil.copytree(saved, self._home, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(saved)

    def _write(self, text: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SessionError(
                "the shell has ended: `exit`, syntax errors and the time limit do that"
            )
        return line.decode()

    def _readable(self, output: str) -> str:
        """The output, with `~` for the home."""
        return output.replace(str(self._home), "~")


@contextmanager
def console_session(ccgpu: Path, files: Path | None = None) -> Iterator[ConsoleSession]:
    """A shell whose `ccgpu` is this one, in a home with a copy of `files` and nothing else."""
    with tempfile.TemporaryDirectory(prefix="ccgpu-console-") as folder:
        home, programs = Path(folder) / "home", Path(folder) / "bin"
        if files:
            shutil.copytree(files, home, ignore=shutil.ignore_patterns("expected.txt"))
        else:
            home.mkdir()
        programs.mkdir()
        for name, text in {"ccgpu": _CCGPU, "python3": _PYTHON}.items():
            program = programs / name
            program.write_text(text.format(ccgpu=ccgpu, python=sys.executable))
            program.chmod(0o755)
        environ = {
            "HOME": str(home),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "XDG_STATE_HOME": str(home / ".local" / "state"),
            "CCGPU_BACKEND": "fake",
            "COLUMNS": "100",
            "LC_ALL": "C.UTF-8",
            "REPOSITORY": str(ROOT),  # for preparations
        }
        process = subprocess.Popen(
            [sys.executable, "-c", _START_BASH],
            cwd=home,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        # What hangs is killed, with all that it has started; the shell has ended, then.
        watchdog = threading.Timer(_LIMIT, os.killpg, (process.pid, signal.SIGKILL))
        watchdog.start()
        try:
            yield ConsoleSession(process, home)
        finally:
            watchdog.cancel()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
