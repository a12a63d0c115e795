"""The answer for scripts: JSON, or tab-separated values; a single value of a query stands bare."""

import json
from typing import Any


def as_json(value: Any, *, bare: bool = False, indent: int | None = 2) -> str:
    """JSON. bare: a string stands without quotes, as a script wants it. indent: None for a line."""
    return value if bare and isinstance(value, str) else json.dumps(value, indent=indent)


def as_tsv(value: Any) -> str:
    r"""Tab-separated values: a line for each item of a list of lists or objects, else one line.

    Each line has its end, so that a shell's loop over an empty list is not entered.
    A document with a single list, such as `deployments`, is shown as that list. In a line with
    several columns, tabs, line ends and backslashes are escaped (`\t`, `\n`, `\r`, `\\`), and
    what has parts of its own is compact JSON.
    """
    if isinstance(value, dict) and "schema" in value:
        lists = [part for part in value.values() if isinstance(part, list)]
        value = lists[0] if len(lists) == 1 else value
    if not isinstance(value, list | dict):
        return f"{_cell(value)}\n"
    if isinstance(value, list) and any(isinstance(item, list | dict) for item in value):
        return "".join(f"{_row(item)}\n" for item in value)
    return "" if value in ([], {}) else f"{_row(value)}\n"


def _row(item: Any) -> str:
    columns = item.values() if isinstance(item, dict) else item
    return "\t".join(map(_escaped, columns)) if isinstance(item, list | dict) else _escaped(item)


def _escaped(value: Any) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value, separators=(",", ":"))
    text = _cell(value).replace("\\", "\\\\")
    return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _cell(value: Any) -> str:
    """A scalar without quotes: nothing for null, true and false as in JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
