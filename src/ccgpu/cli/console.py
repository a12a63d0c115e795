"""Consoles over the process's streams, and a question to the person at the terminal."""

import io
import os
from typing import TextIO

from rich.console import Console

# The width of a console that is no terminal: scripts need lines that are not wrapped.
_UNLIMITED = 10_000
_SIZE_DIGITS = 5
_ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}


def console(stream: TextIO) -> Console:
    """A console as wide as the terminal, or as COLUMNS says.

    FORCE_COLOR, which CI services often set, makes Rich take a pipe for a terminal: then it has
    colours, but nothing that is drawn over.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # for signs that the encoding lacks
    environ = {name: text for name, text in os.environ.items() if _is_usable(name, text)}
    terminal = stream.isatty()
    return Console(
        file=stream,
        highlight=False,
        markup=False,
        emoji=False,
        width=None if terminal or "COLUMNS" in environ else _UNLIMITED,
        force_interactive=None if terminal else False,
        _environ=environ,
    )


def _is_usable(name: str, text: str) -> bool:
    """Whether Rich can read the variable.

    By COLUMNS=0, as terminals of CI have it, it prints nothing, and not every digit is one for it.
    """
    is_size = text.isascii() and text.isdigit() and len(text) <= _SIZE_DIGITS and int(text) > 0
    return name not in ("COLUMNS", "LINES") or is_size


def silent(like: Console) -> Console:
    """A console of the same width that prints nothing."""
    return Console(file=io.StringIO(), quiet=True, width=like.width)


def confirm(err: Console, answers: TextIO, question: str) -> bool:
    """Ask a yes-or-no question on stderr. An empty line means no.

    Raises:
        EOFError: the input has ended, or the terminal has hung up.
    """
    while True:
        err.out(f"{question} [y/N]: ", end="", highlight=False)
        try:
            line = answers.readline()
        except OSError as gone:  # the terminal has hung up
            raise EOFError from gone
        if not line:
            raise EOFError
        answer = _ANSWERS.get(line.strip().lower())
        if answer is not None:
            return answer
        err.out("answer y or n", highlight=False)


def ask_secret(question: str) -> str:
    """Ask for a password at the terminal, without an echo. `EOFError` if the input has ended."""
    from getpass import getpass

    return getpass(question)
