"""Run Command: the script that Azure's agent runs in the VM, and what it reports. Pure.

Anybody who may call it is root in the VM, and nothing of the answer is attested. The agent keeps
the last 4 KB of each stream and no exit code (Microsoft Learn, "Run scripts in your Linux VM by
using action Run Commands", Limitations), so the script prints the exit code itself.
"""

import re
import shlex
from collections.abc import Sequence

LIMIT = 4096  # bytes of each stream that the agent keeps, the last ones
_MARK = "ccgpu-exit-code="
_MESSAGE = re.compile(
    rf"[^\n]*\n\[stdout\]\n(?P<out>.*){_MARK}(?P<code>\d{{1,3}})\n+\[stderr\]\n?(?P<err>.*)",
    re.DOTALL,
)


class OutputCut(ValueError):
    """The output is so long that its beginning was not kept."""


def script_of(argv: Sequence[str]) -> list[str]:
    """The lines of the script that runs a command, each word of which is one argument."""
    return [shlex.join(argv), f'echo "{_MARK}$?"']


def parse_message(message: str) -> tuple[int, str, str]:
    """The exit code, the output and the error output in the agent's message.

    Raises:
        OutputCut: a stream is as long as what the agent keeps of it.
        ValueError: the message has another form, or the mark of the exit code twice.
    """
    match = _MESSAGE.fullmatch(message)
    if match is None or message.count(_MARK) != 1:
        if len(message.encode()) >= LIMIT:
            raise OutputCut(f"it printed {LIMIT} bytes or more")
        raise ValueError("the agent's answer has no exit code")
    out, err = match["out"], match["err"]
    printed = (f"{out}{_MARK}{match['code']}\n", err)
    if any(len(text.encode()) >= LIMIT for text in printed):
        raise OutputCut(f"it printed {LIMIT} bytes or more")
    return int(match["code"]), out, err
