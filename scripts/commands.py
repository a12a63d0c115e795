"""Run commands and say so: what every chore of this repository shares. Standard library only."""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent


def say(text: str) -> None:
    """One line on stderr, in order with what child processes print there."""
    print(text, file=sys.stderr, flush=True)


def fail(message: str, hint: str) -> NoReturn:
    """End with an error and the one thing to do about it."""
    sys.exit(f"error: {message}\n\nhint: {hint}")


def code_of(*command: str | Path, environ: Mapping[str, str] | None = None) -> int:
    """Show and run a command at the root; its exit code."""
    shown = [str(word).removeprefix(f"{ROOT}/") for word in command]
    say(f"$ {shlex.join(shown)}")
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=ROOT, env=environ, check=False).returncode


def run(*command: str | Path, environ: Mapping[str, str] | None = None) -> None:
    """Show and run a command at the root; end with its exit code if it fails."""
    code = code_of(*command, environ=environ)
    if code:
        sys.exit(code if code > 0 else 128 - code)  # a signal, as shells count it
