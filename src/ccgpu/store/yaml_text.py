"""Parses YAML to plain values with their places; refuses tags, aliases and duplicate keys.

Unquoted scalars stay text, except null. The field's type decides what a text means: `no` is a valid
user name, and `1:30` is not a number. The values are built from PyYAML's events, so that no tag
constructs an object, and nesting is limited to `MAX_DEPTH`.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from ccgpu.errors import InvalidFile, Problem
from ccgpu.store.documents import MAX_DEPTH, FieldPath, Mark, dotted, mark_at, refusal

if TYPE_CHECKING:
    from yaml.events import Event

Built = TypeVar("Built")

# YAML 1.2.2, section 10.3.2 (core schema).
NULL = frozenset({"", "~", "null", "Null", "NULL"})


def parse(text: str, source: str) -> tuple[Any, dict[FieldPath, Mark]]:
    """Parse one document.

    Raises:
        InvalidFile: with the place of each problem.
    """
    return _build(text, source, _Builder.document)


def parse_all(text: str, source: str) -> list[tuple[Any, dict[FieldPath, Mark]]]:
    """Parse every document of the text, and skip empty ones."""
    return _build(text, source, _Builder.documents)


def _build(text: str, source: str, build: "Callable[[_Builder], Built]") -> "Built":
    from yaml import MarkedYAMLError, SafeLoader
    from yaml import parse as events
    from yaml.reader import ReaderError

    try:
        return build(_Builder(source, iter(events(text, SafeLoader))))
    except ReaderError as err:
        place = mark_at(text, int(err.position))
        raise refusal(source, "holds a control character", place) from None
    except MarkedYAMLError as err:
        at = err.problem_mark or err.context_mark
        place = Mark(at.line + 1, at.column + 1) if at else Mark(1, 1)
        raise refusal(source, f"is not YAML: {_parser_message(err.problem)}", place) from None


def _parser_message(problem: str | None) -> str:
    """The parser's message, with a clear text for the most common mistake, a tab."""
    if problem and "'\\t'" in problem:
        return "a tab cannot indent, use spaces"
    return problem or "it cannot be read"


class _Builder:
    """Builds values and marks from the parser's events."""

    def __init__(self, source: str, events: "Iterator[Event]") -> None:
        self.source = source
        self.events = events
        self.marks: dict[FieldPath, Mark] = {}
        self.duplicates: list[Problem] = []

    def document(self) -> tuple[Any, dict[FieldPath, Mark]]:
        from yaml.events import DocumentStartEvent, StreamEndEvent

        next(self.events)  # the stream's start
        if not isinstance(next(self.events), DocumentStartEvent):
            raise refusal(self.source, "is empty")
        event = next(self.events)
        self.marks[()] = _mark(event)
        value = self._value(event, ())
        next(self.events)  # the document's end
        after = next(self.events)
        if not isinstance(after, StreamEndEvent):
            raise refusal(self.source, "holds more than one document", _mark(after))
        if self.duplicates:
            raise InvalidFile(self.source, self.duplicates)
        return value, self.marks

    def documents(self) -> list[tuple[Any, dict[FieldPath, Mark]]]:
        from yaml.events import DocumentStartEvent

        results = []
        next(self.events)  # the stream's start
        while isinstance(next(self.events), DocumentStartEvent):
            event = next(self.events)
            self.marks = {(): _mark(event)}
            value = self._value(event, ())
            next(self.events)  # the document's end
            if value is not None:
                results.append((value, self.marks))
        if self.duplicates:
            raise InvalidFile(self.source, self.duplicates)
        return results

    def _value(self, event: "Event", path: FieldPath) -> Any:
        from yaml.events import MappingStartEvent, ScalarEvent

        self._require_plain(event, path)
        if isinstance(event, ScalarEvent):
            return None if event.style is None and event.value in NULL else event.value
        if len(path) >= MAX_DEPTH:
            raise self._refusal(event, (), f"nests deeper than {MAX_DEPTH} levels")
        if isinstance(event, MappingStartEvent):
            return self._mapping(path)
        return self._sequence(path)

    def _mapping(self, path: FieldPath) -> dict[str, Any]:
        from yaml.events import MappingEndEvent, ScalarEvent

        values: dict[str, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            self._require_plain(event, path)
            if not isinstance(event, ScalarEvent):
                raise self._refusal(event, path, "has a name that is not plain text")
            key = event.value
            if key in values:
                first = self.marks[(*path, key)].line
                message = f"is a duplicate, first on line {first}"
                self.duplicates.append(
                    Problem(dotted((*path, key)), message, *_mark(event), source=self.source)
                )
            self.marks[(*path, key)] = _mark(event)
            values[key] = self._value(next(self.events), (*path, key))
        return values

    def _sequence(self, path: FieldPath) -> list[Any]:
        from yaml.events import SequenceEndEvent

        values: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            item = (*path, len(values))
            self.marks[item] = _mark(event)
            values.append(self._value(event, item))
        return values

    def _require_plain(self, event: "Event", path: FieldPath) -> None:
        from yaml.events import AliasEvent, NodeEvent

        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor):
            raise self._refusal(event, path, "anchors and aliases are not accepted, write it out")
        if getattr(event, "tag", None):
            raise self._refusal(event, path, "tags (!…) are not accepted, remove it")

    def _refusal(self, event: "Event", path: FieldPath, message: str) -> InvalidFile:
        return refusal(self.source, message, _mark(event), path)


def _mark(event: "Event") -> Mark:
    start = event.start_mark
    assert start is not None, "the parser marks every event"  # noqa: S101  # for the type checker
    return Mark(start.line + 1, start.column + 1)
