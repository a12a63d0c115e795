"""Write what is made of the code: `scripts/docs.py [--check]`.

These are docs/cli.md, errors.md and verifier-checks.md, the man pages in docs/man, the table of
`ccgpu completion`, and the evidence of `ccgpu verify --example`.
With `--check` nothing is written; a file that is out of date is an error.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

import checks_page
import completion_table
import example_evidence
import man_pages
from ccgpu import errors
from ccgpu.cli.commands import COMMANDS, load
from ccgpu.cli.main import app
from error_list import listed_errors

_ROOT = Path(__file__).resolve().parent.parent
_TABLE = "src/ccgpu/cli/completions.json"
_MADE = "This page is made by `scripts/docs.py`; edit the code, not the page."
_WIDTH = 80
_ABOUT_ERRORS = """\
0 means done. 1 means a bug in ccgpu, printed with a traceback: please report it. 1 also means that
the work is done, but stdout could not take the answer. Each other code is in the list below.

Some commands end with a code that is no error of ccgpu:

- `plan --exit-code`: 20 if `create` would change anything.
- `exec` and `ssh`: the exit code of what ran in the VM.
- `run --wait` and `create --run`: the exit code of the job.

An error first says what happened. Where Azure refused, it has Azure's words and Azure's code. Then
it lists the resources that may be left, and ends with one thing to do (`hint:`). With `-o json`
stderr has one `ccgpu.error/1` document and nothing else. Azure's correlation id of the refused
request is in that document, and in the text with `-v`."""


def cli() -> str:
    """The page with the help of every command."""
    rows = [f"| [`{name}`](#ccgpu-{name}) | {entry.help} |" for name, entry in COMMANDS.items()]
    parts = [
        f"# Commands\n\n{_MADE} What each exit code means: [errors](errors.md).",
        "\n".join(["| command | does |", "|---|---|", *rows]),
    ]
    root = typer.main.get_command(app)
    context = root.make_context("ccgpu", [], resilient_parsing=True, terminal_width=_WIDTH)
    parts += [f"## ccgpu\n\n{_block(context.get_help())}"]
    for name in COMMANDS:
        parts += _help_of(load(name), name, context)
    return "\n\n".join(parts) + "\n"


def _help_of(command: Any, name: str, above: Any) -> Iterator[str]:
    """The help of a command and of its subcommands."""
    context = command.make_context(name, [], parent=above, resilient_parsing=True)
    yield f"## {context.command_path}\n\n{_block(context.get_help())}"
    for inner, subcommand in getattr(command, "commands", {}).items():
        yield from _help_of(subcommand, inner, context)


def _block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"


def tree() -> str:
    """The page with the hierarchy of errors and the meaning of each."""
    lines = (errors.__doc__ or "").splitlines()
    drawn = [line.removeprefix("    ") for line in lines if line.startswith("    ")]
    rows = [
        f"| {each.exit_code} | `{each.__name__}` | {_first_line(each)} | {_hint(each)} |"
        for each in sorted(listed_errors(), key=lambda each: each.exit_code)
    ]
    return (
        "\n\n".join(
            [
                f"# Errors and exit codes\n\n{_MADE}",
                _ABOUT_ERRORS,
                _block("\n".join(drawn)),
                "\n".join(["| code | error | means | usual hint |", "|--:|---|---|---|", *rows]),
            ]
        )
        + "\n"
    )


def _first_line(each: type) -> str:
    return " ".join((each.__doc__ or "").partition("\n\n")[0].split())


def _hint(each: type[errors.CcgpuError]) -> str:
    return getattr(each, "usual_hint", None) or ""


def checks() -> str:
    """The page with every check of the verifier."""
    return checks_page.page(_MADE)


def made() -> dict[str, str]:
    """The text of each file, by its path in the repository."""
    return {
        "docs/cli.md": cli(),
        "docs/errors.md": tree(),
        "docs/verifier-checks.md": checks(),
        _TABLE: completion_table.text(),
        **example_evidence.files(),
        **{f"docs/man/{name}": text for name, text in man_pages.pages().items()},
    }


def main(arguments: list[str], files: Mapping[str, str], root: Path = _ROOT) -> None:
    """Write the files; with `--check` only compare them."""
    pages = root / "docs" / "man"
    left = [path for path in pages.glob("*.1") if f"docs/man/{path.name}" not in files]
    if "--check" not in arguments:
        for path in left:
            path.unlink()
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        return
    old = [
        name
        for name, text in files.items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != text
    ]
    for name in (*old, *(f"docs/man/{path.name}" for path in left)):
        sys.exit(f"error: {name} is not as the code says\n\nhint: `scripts/docs.py`")


if __name__ == "__main__":
    main(sys.argv[1:], made())
