"""What the parser's messages lack: what was probably meant, and how a value is written."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

# Words of az, gh, uv, kubectl, docker and terraform, and the command that does it here.
OTHER_NAMES = {
    "apply": "ccgpu create",
    "cat": "ccgpu show",
    "connect": "ccgpu ssh",
    "cost": "ccgpu price",
    "deallocate": "ccgpu stop",
    "describe": "ccgpu show",
    "destroy": "ccgpu delete",
    "down": "ccgpu delete",
    "get": "ccgpu show",
    "help": "ccgpu --help",
    "ls": "ccgpu list",
    "new": "ccgpu init",
    "preview": "ccgpu plan",
    "prune": "ccgpu gc",
    "reboot": "ccgpu restart",
    "remove": "ccgpu delete",
    "rm": "ccgpu delete",
    "scp": "ccgpu cp",
    "shell": "ccgpu ssh",
    "status": "ccgpu show",
    "up": "ccgpu create",
    "version": "ccgpu --version",
}
# The parser's message of a choice that is not given: each possible value is a line of its own.
_CHOICE_MISSING = re.compile(r"\. Choose from:\s+(.*)", re.DOTALL)
# pydantic's messages of a number, which the parser hands on without the value.
_NUMBERS = (
    (re.compile(r"Input should be a valid integer\b.*"), "must be a whole number"),
    (re.compile(r"Input should be a valid number\b.*"), "must be a number"),
    (re.compile(r"Input should be less than or equal to (\d+)"), r"must be at most \1"),
    (re.compile(r"Input should be greater than or equal to (\d+)"), r"must be at least \1"),
)
# The parser's message of a value that is none of an option's choices.
_NO_CHOICE = re.compile(r"""(?:Value error, )?('[^']*'|"[^"]*") is not one of ('.*')""")


def suggest(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'X'?` with the known word that is most like `word`; empty if none is."""
    similar = get_close_matches(word, sorted(known), n=1)
    return f" Did you mean '{similar[0]}'?" if similar else ""


def explain(message: str) -> str:
    """The message of the parser in one line: numbers and choices in plain words.

    A value that is no choice is followed by the choice that is most like it.
    """
    for pattern, words in _NUMBERS:
        message = pattern.sub(words, message)
    missing = _CHOICE_MISSING.search(message)
    if missing is not None:
        return f"{message[: missing.start()]}: give one of {' '.join(missing[1].split())}"
    found = _NO_CHOICE.search(message)
    if found is None:
        return message
    value, choices = found[1][1:-1], re.findall(r"'([^']*)'", found[2])
    return (
        f"{message[: found.start()]}{found[1]} is not one of {found[2]}.{suggest(value, choices)}"
    )
