"""How an error looks on stderr, for people and for scripts."""

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from ccgpu.errors import CcgpuError, InvalidFile, UsageProblem

if TYPE_CHECKING:
    from rich.console import Console

_JSON = re.compile(r"(-[a-z]*o|--output=)json|--events(=.*)?", re.DOTALL)
_OUTPUT = re.compile(r"-[a-z]*o|--output")


def tell(console: "Console", argv: Sequence[str], err: CcgpuError) -> int:
    """Print `err`, and give the exit code it asks for."""
    if _for_scripts(argv):
        console.out(json.dumps(_document(err)), highlight=False)
    else:
        console.out(_text(err), highlight=False)
    return err.exit_code


def of_parser(err: typer.TyperException) -> UsageProblem:
    """What the parser has refused, in our form."""
    text = err.format_message().strip().removesuffix(".")
    context = getattr(err, "ctx", None)
    hint = f"`{context.command_path} --help`" if context else None
    return UsageProblem(text[:1].lower() + text[1:], hint=hint)


def _text(err: CcgpuError) -> str:
    from ccgpu.views.signs import plain

    lines = [f"error: {err}"]
    for left in err.resources:
        bills = ", bills" if left.billed and left.state != "gone" else ""
        lines.append(f"  {left.state}{bills}: {left.id}")
    if err.hint:
        lines += ["", f"hint: {err.hint}"]
    return plain("\n".join(lines))


def _document(err: CcgpuError) -> dict[str, Any]:
    document = {
        "schema": "ccgpu.error/1",
        "code": err.code,
        "message": str(err),
        "hint": err.hint,
        "exit_code": err.exit_code,
        "resources": [{"id": r.id, "state": r.state, "billed": r.billed} for r in err.resources],
    }
    if credential := _signed_in_with(err):
        document["signed_in_with"] = credential
    if isinstance(err, InvalidFile):
        document["problems"] = [
            {
                "source": p.source or err.source,
                "line": p.line,
                "column": p.column,
                "field": p.path,
                "message": p.message,
            }
            for p in err.problems
        ]
    return document


def _signed_in_with(err: BaseException | None) -> str | None:
    """The credential of the request that was refused, whichever error speaks of it."""
    while err is not None:
        if isinstance(err, CcgpuError) and err.signed_in_with:
            return err.signed_in_with
        err = err.__cause__
    return None


def _for_scripts(argv: Sequence[str]) -> bool:
    """Whether stderr is read by a program; the parser may not have got far enough to know."""
    words = [*argv[: argv.index("--")]] if "--" in argv else [*argv]
    pairs = zip(words, [*words[1:], ""], strict=False)
    return any(
        _JSON.fullmatch(word) or (_OUTPUT.fullmatch(word) and after == "json")
        for word, after in pairs
    )
