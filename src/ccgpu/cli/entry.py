"""The entry point of the process: answers a shell that completes a command line, or runs `ccgpu`.

An answer takes no parser: it comes from a table, and neither typer nor the SDK is imported.
"""

import os
import sys


def main() -> None:
    """Run the command line of this process; that of a shell's script is `__complete SHELL …`."""
    if sys.argv[1:2] == ["__complete"]:
        from ccgpu.cli import completion_shells

        answer = completion_shells.answer(sys.argv[2:], os.environ)
        if answer is not None:
            sys.stdout.buffer.write(answer.encode())
            return
    from ccgpu.cli import main as parser

    parser.main()
