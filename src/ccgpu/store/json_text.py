"""Parses JSON (RFC 8259) to plain values with their places; refuses duplicate keys and NaN.

The `json` module keeps no places and does not limit the depth of nesting. This parser reads the
structure itself and uses `json` only for strings and numbers.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from json import decoder
from typing import Any

from ccgpu.errors import InvalidFile, Problem
from ccgpu.store.documents import MAX_DEPTH, FieldPath, Mark, dotted, refusal

_SPACE = re.compile(r"[ \t\r\n]*")
# The `json` module's scanner of strings, which has no stub: (text, start, strict) -> (value, end).
_SCAN: Callable[[str, int, bool], tuple[str, int]] = vars(decoder)["scanstring"]
_WORD = re.compile(r"-?[A-Za-z0-9][A-Za-z0-9.+-]*")


def parse(text: str, source: str) -> tuple[Any, dict[FieldPath, Mark]]:
    """Parse one JSON value.

    Raises:
        InvalidFile: with the place of each problem.
    """
    reader = _Reader(text, source)
    value = reader.value(())
    if reader.peek():
        raise reader.refusal("unexpected text after the end")
    if reader.duplicates:
        raise InvalidFile(source, reader.duplicates)
    return value, reader.marks


class _Reader:
    """The text, the position in it, and the marks and duplicates found so far."""

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        self.at = 0
        self.lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self.peek()
        self.marks: dict[FieldPath, Mark] = {(): self.mark()}
        self.duplicates: list[Problem] = []

    def peek(self) -> str:
        """The next character after white space; empty at the end."""
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]  # matches ""
        return self.text[self.at : self.at + 1]

    def mark(self) -> Mark:
        line = bisect_right(self.lines, self.at)
        return Mark(line, self.at - self.lines[line - 1] + 1)

    def refusal(self, message: str) -> InvalidFile:
        return refusal(self.source, f"is not JSON: {message}", self.mark())

    def value(self, path: FieldPath) -> Any:
        start = self.peek()
        if start in ("{", "[") and len(path) >= MAX_DEPTH:
            message = f"nests deeper than {MAX_DEPTH} levels"
            raise refusal(self.source, message, self.mark())
        if start == "{":
            return self._object(path)
        if start == "[":
            return self._array(path)
        return self._string() if start == '"' else self._word()

    def _object(self, path: FieldPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        self.at += 1
        while self.peek() != "}":
            self._separator(first=not values)
            if self.peek() != '"':
                raise self.refusal("expected a name in double quotes")
            mark = self.mark()
            field = (*path, self._string())
            if field in self.marks:
                message = f"is a duplicate, first on line {self.marks[field].line}"
                self.duplicates.append(Problem(dotted(field), message, *mark, source=self.source))
            self.marks[field] = mark
            self._expect(":")
            values[str(field[-1])] = self.value(field)
        self.at += 1
        return values

    def _array(self, path: FieldPath) -> list[Any]:
        values: list[Any] = []
        self.at += 1
        while self.peek() != "]":
            self._separator(first=not values)
            self.peek()
            item = (*path, len(values))
            self.marks[item] = self.mark()
            values.append(self.value(item))
        self.at += 1
        return values

    def _separator(self, *, first: bool) -> None:
        if not first:
            self._expect(",")

    def _expect(self, sign: str) -> None:
        if self.peek() != sign:
            raise self.refusal(f"expected {sign}" if self.at < len(self.text) else "unexpected end")
        self.at += 1

    def _string(self) -> str:
        try:
            value, self.at = _SCAN(self.text, self.at + 1, True)
        except json.JSONDecodeError as err:
            self.at = err.pos
            raise self.refusal(err.msg[:1].lower() + err.msg[1:]) from None
        return value

    def _word(self) -> Any:
        match = _WORD.match(self.text, self.at)
        try:
            value = json.loads(match[0] if match else "", parse_constant=_refuse_constant)
        except ValueError:
            raise self.refusal("expected a value") from None
        self.at += len(match[0]) if match else 0
        return value


def _refuse_constant(word: str) -> float:
    raise ValueError(word)
