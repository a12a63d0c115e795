"""Options that name a file or a folder that the command writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ccgpu.cli.options import option
from ccgpu.errors import UsageProblem


def new_path(
    help_: str,
    name: str,
    *,
    metavar: str = "FILE",
    panel: str | None = None,
    else_stdout: bool = False,
) -> Any:
    """An option for what the command writes, which refuses `-`: nothing of it goes to stdout.

    else_stdout: without the option the command prints the same.
    """
    hint = f"leave {name} out, and it is printed to stdout" if else_stdout else None
    parser = _parser(name, "folder" if metavar == "DIR" else "file", hint)
    return option(help_, name, panel=panel, metavar=metavar, parser=parser)


def _parser(name: str, what: str, hint: str | None) -> Callable[[str | Path], Path]:
    def parse(text: str | Path) -> Path:
        if text == "-":
            raise UsageProblem(
                f"{name} writes a {what}; `-` is not one",
                hint=hint or f"a {what} of this name is `./-`",
            )
        return Path(text)

    return parse
