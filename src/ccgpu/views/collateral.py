"""The fetched collateral, as text and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.collateral.folder import entry
from ccgpu.domain.collateral import CollateralFile, FetchedCollateral, MissingCollateral
from ccgpu.scheduling.clock import rfc3339
from ccgpu.views.tables import RowTable

_SCHEMA = "ccgpu.collateral-fetch/1"


def as_text(fetched: FetchedCollateral, folder: str) -> RenderableType:
    """A table of the files, the missing collateral, and the folder."""
    count = len(fetched.collateral)
    end = Text(f"\n{count} file{'s' if count != 1 else ''} in {folder}")
    missing = [_missing_line(each) for each in fetched.missing]
    return Group(_fetched_table(fetched.collateral), *missing, end)


def as_json(fetched: FetchedCollateral, folder: str) -> dict[str, Any]:
    """The files as in the folder's manifest, and the missing collateral."""
    return {
        "schema": _SCHEMA,
        "folder": folder,
        "files": [entry(each) for each in fetched.collateral],
        "missing": [{"what": each.what, "reasons": list(each.reasons)} for each in fetched.missing],
    }


def _fetched_table(collateral: Sequence[CollateralFile]) -> RowTable:
    table = RowTable("FILE", "FROM", "AT")
    for each in collateral:
        table.add_row(_shorten(each.name), _host(each.source), rfc3339(each.fetched))
    return table


def _missing_line(each: MissingCollateral) -> Text:
    return Text(f"FAIL {each.what}: {'; '.join(each.reasons)}")


def _host(source: str) -> str:
    return source.split("/")[2] if source.startswith("https://") else source


def _shorten(name: str) -> str:
    """A file's name; the middle of a long one is replaced by an ellipsis."""
    folder, file = name.split("/", 1)
    return name if len(file) <= 48 else f"{folder}/{file[:24]}…{file[-12:]}"
