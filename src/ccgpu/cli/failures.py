"""Formats errors for stderr, as text and as JSON."""

import errno
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from ccgpu.cli.suggestions import explain
from ccgpu.errors import (
    CcgpuError,
    InternalError,
    Interrupted,
    InvalidFile,
    StateUnusable,
    UsageProblem,
)

if TYPE_CHECKING:
    from rich.console import Console

# Errors of a disk or a folder. Any other errno is a bug in ccgpu.
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


def tell_error(
    console: "Console", err: CcgpuError, *, as_json: bool, verbose: bool = False
) -> None:
    """Print the error on the console. verbose: with Azure's correlation id, as JSON always has."""
    text = json.dumps(_error_document(err)) if as_json else _error_text(err, verbose=verbose)
    console.out(text, highlight=False)


def error_of(err: BaseException) -> CcgpuError:
    """The `CcgpuError` for any exception that ended a command."""
    if isinstance(err, CcgpuError):
        return err
    if isinstance(err, typer.TyperException):
        return _parser_error(err)
    if isinstance(err, (KeyboardInterrupt, typer.Abort, EOFError)):
        return Interrupted("interrupted")
    return _bug_error(err)


def outranking(err: CcgpuError | None, besides: Sequence[CcgpuError]) -> CcgpuError:
    """What a command ends with, whose message names what has failed besides; else the latter."""
    if err is None:
        return besides[0]
    err.args = ("; besides, ".join(dict.fromkeys(map(str, (err, *besides)))), *err.args[1:])
    return err


def _parser_error(err: typer.TyperException) -> UsageProblem:
    """An error of the command line's parser as a `UsageProblem`."""
    text = explain(err.format_message().strip().removesuffix("."))
    context = getattr(err, "ctx", None)
    hint = f"`{context.command_path} --help`" if context else None
    return UsageProblem(text[:1].lower() + text[1:], hint=hint)


def _bug_error(err: BaseException) -> CcgpuError:
    """An unexpected exception: an error of a disk or a file, else a bug in ccgpu."""
    if isinstance(err, OSError) and err.errno in _DISK_ERRORS and err.filename is not None:
        return StateUnusable(f"{err.filename}: {err.strerror}")
    return InternalError.of(err)


def _error_text(err: CcgpuError, *, verbose: bool) -> str:
    from ccgpu.domain import plain_text

    lines = [err.traceback.rstrip()] if isinstance(err, InternalError) else []
    lines.append(f"error: {err}")
    for left in err.resources:
        bills = ", bills" if left.billed and left.state != "gone" else ""
        lines.append(f"  {left.state}{bills}: {left.id}")
    if verbose and (correlation := _fact(err, "correlation_id")):
        lines.append(f"  correlation id: {correlation}")
    if err.hint:
        lines += ["", f"hint: {err.hint}"]
    return plain_text.lines("\n".join(lines))


def _error_document(err: CcgpuError) -> dict[str, Any]:
    document = {
        "schema": "ccgpu.error/1",
        "code": err.code,
        "message": str(err),
        "hint": err.hint,
        "exit_code": err.exit_code,
        "resources": [{"id": r.id, "state": r.state, "billed": r.billed} for r in err.resources],
    }
    if correlation := _fact(err, "correlation_id"):
        document["correlation_id"] = correlation
    if credential := _fact(err, "signed_in_with"):
        document["signed_in_with"] = credential
    if isinstance(err, InternalError):
        document["traceback"] = err.traceback
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


def _fact(err: BaseException | None, name: str) -> str | None:
    """A fact about the rejected request, from the error or one of its causes."""
    while err is not None:
        if isinstance(err, CcgpuError) and (known := getattr(err, name)):
            return str(known)
        err = err.__cause__
    return None
