"""Prints and runs commands, for the scripts of this repository. Standard library only."""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent


def say(text: str) -> None:
    """Print a line on stderr, unbuffered, in order with the output of child processes."""
    print(text, file=sys.stderr, flush=True)


def fail(message: str, hint: str) -> NoReturn:
    """Exit with an error and a hint."""
    sys.exit(f"error: {message}\n\nhint: {hint}")


def code_of(*command: str | Path, environ: Mapping[str, str] | None = None) -> int:
    """Print and run a command in the root folder; return its exit code."""
    shown = [str(word).removeprefix(f"{ROOT}/") for word in command]
    say(f"$ {shlex.join(shown)}")
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=ROOT, env=environ, check=False).returncode


def run(*command: str | Path, environ: Mapping[str, str] | None = None) -> None:
    """Print and run a command in the root folder; exit with its code if it fails."""
    code = code_of(*command, environ=environ)
    if code:
        sys.exit(code if code > 0 else 128 - code)  # negative: killed by a signal
