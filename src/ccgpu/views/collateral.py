"""What was fetched for evidence, for people and for scripts."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ccgpu.collateral.folder import entry
from ccgpu.collateral.needs import Fetched, Missing
from ccgpu.collateral.want import Piece
from ccgpu.scheduling.clock import rfc3339

_SCHEMA = "ccgpu.collateral-fetch/1"


def as_text(fetched: Fetched, folder: str) -> RenderableType:
    """A table of the files, what is not among them, and where they are."""
    count = len(fetched.pieces)
    end = Text(f"\n{count} file{'s' if count != 1 else ''} in {folder}")
    return Group(_had(fetched.pieces), *(_lacked(each) for each in fetched.missing), end)


def as_json(fetched: Fetched, folder: str) -> dict[str, Any]:
    """The files as the manifest in the folder lists them, and what is missing."""
    return {
        "schema": _SCHEMA,
        "folder": folder,
        "files": [entry(piece) for piece in fetched.pieces],
        "missing": [{"what": each.what, "reasons": list(each.reasons)} for each in fetched.missing],
    }


def _had(pieces: Sequence[Piece]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("FILE", overflow="fold")
    table.add_column("FROM")
    table.add_column("AT")
    for piece in pieces:
        table.add_row(Text(_short(piece.name)), Text(_host(piece.source)), rfc3339(piece.fetched))
    return table


def _lacked(each: Missing) -> Text:
    return Text(f"FAIL {each.what}: {'; '.join(each.reasons)}")


def _host(source: str) -> str:
    return source.split("/")[2] if source.startswith("https://") else source


def _short(name: str) -> str:
    """A name with the long hex in it cut short."""
    folder, file = name.split("/", 1)
    return name if len(file) <= 48 else f"{folder}/{file[:24]}…{file[-12:]}"
