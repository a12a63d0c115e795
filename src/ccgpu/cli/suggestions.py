"""What was probably meant: commands by the names of other tools, and misspelt values."""

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
# The parser's message of a value that is none of an option's choices.
_NO_CHOICE = re.compile(r"""(?:Value error, )?('[^']*'|"[^"]*") is not one of ('.*')""")

# The end of its message of a missing value that is one of several: each in a line, behind a tab.
_MISSING_CHOICE = re.compile(r"\. Choose from:\s+(.*)", re.DOTALL)


def suggest(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'X'?` with the known word that is most like `word`; empty if none is."""
    similar = get_close_matches(word, sorted(known), n=1)
    return f" Did you mean '{similar[0]}'?" if similar else ""


def explain_choice(message: str) -> str:
    """The message of the parser in one line.

    For a value that is no choice it has the most similar choice, for a missing one all of them.
    """
    if missing := _MISSING_CHOICE.search(message):
        return f"{message[: missing.start()]}: give one of {' '.join(missing[1].split())}"
    found = _NO_CHOICE.search(message)
    if found is None:
        return message
    value, choices = found[1][1:-1], re.findall(r"'([^']*)'", found[2])
    return (
        f"{message[: found.start()]}{found[1]} is not one of {found[2]}.{suggest(value, choices)}"
    )
