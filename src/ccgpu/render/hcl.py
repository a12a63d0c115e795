"""Values and blocks in the syntax of Terraform, formatted as `terraform fmt` does.

Strings: Terraform language, "Strings and Templates". The doubled `$` and `%` are those of
hashicorp/hcl, hclwrite, `escapeQuotedStringLit`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_INDENT = "  "
# A key that needs no quotes. `for` would begin an expression, the others are values.
_IDENTIFIER = re.compile(r"(?!(?:for|if|in|null|true|false)\b)[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t", '"': r"\"", "\\": r"\\"}


class Expression(str):
    """A text that is written as it is."""

    __slots__ = ()


def quoted(text: str) -> str:
    """A string literal whose value is `text`: nothing in it is evaluated."""
    doubled = re.sub(r"[$%](?=\{)", lambda found: found[0] * 2, text)
    return f'"{"".join(map(_escape, doubled))}"'


def value(given: Any) -> str:
    """A JSON value as an expression; `Expression` as it is."""
    if isinstance(given, Expression):
        return str(given)
    if isinstance(given, str):
        return quoted(given)
    if isinstance(given, Mapping):
        return _braced(given.items(), key) if given else "{}"
    if isinstance(given, list | tuple):
        return _list([value(one) for one in given])
    return json.dumps(given)


def key(name: str) -> str:
    """The key of an object."""
    return name if _IDENTIFIER.fullmatch(name) else quoted(name)


def block(head: str, attributes: Mapping[str, Any], *inner: str) -> str:
    """A block: its head, its attributes, and the blocks in it."""
    if not attributes and not inner:
        return f"{head} {{}}"
    parts = [_indented(_aligned(attributes.items(), str))] if attributes else []
    parts += map(_indented, inner)
    return f"{head} {{\n" + "\n\n".join(parts) + "\n}"


def _braced(items: Iterable[tuple[str, Any]], name: Any) -> str:
    return "{\n" + _indented(_aligned(items, name)) + "\n}"


def _aligned(items: Iterable[tuple[str, Any]], name: Any) -> str:
    """The lines `NAME = VALUE`; those that follow each other have their `=` in one column."""
    rows = [(name(one), value(given)) for one, given in items]
    lines: list[str] = []
    run: list[tuple[str, str]] = []
    for row in rows:
        if "\n" in row[1]:
            lines += [*_columns(run), f"{row[0]} = {row[1]}"]
            run = []
        else:
            run.append(row)
    return "\n".join([*lines, *_columns(run)])


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:<{width}} = {given}" for name, given in rows]


def _list(items: list[str]) -> str:
    if not items:
        return "[]"
    return "[\n" + "".join(f"{_indented(one)},\n" for one in items) + "]"


def _indented(text: str) -> str:
    return "\n".join(f"{_INDENT}{line}" for line in text.split("\n"))


def _escape(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter.isprintable():
        return letter
    code = ord(letter)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
