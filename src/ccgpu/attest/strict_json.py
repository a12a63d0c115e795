"""A strict JSON parser for evidence.

Input that two parsers may read differently is refused: duplicate keys, NaN and infinity, invalid
Unicode, NUL. Size and depth are checked before anything is built.
"""

import json
import math
import re
from collections.abc import Iterator

from ccgpu.attest.check import Malformed, Rule

MAX_DEPTH = 32  # runtime claims nest 3 deep, tokens 4

SIZE = Rule("json.size", "the JSON document is of a sane size", "RFC 8259, §9")
ENCODING = Rule("json.encoding", "the JSON document is UTF-8", "RFC 8259, §8.1 and §8.2")
NUL = Rule("json.nul", "the JSON document holds no NUL", "RFC 7493, §2.1")
DEPTH = Rule("json.depth", f"the JSON document nests at most {MAX_DEPTH} deep", "RFC 8259, §9")
SYNTAX = Rule("json.syntax", "the document is JSON", "RFC 8259, §2")
DUPLICATE = Rule("json.duplicate", "no object has a duplicate key", "RFC 7493, §2.3")
NUMBER = Rule("json.number", "every number of the JSON document is finite", "RFC 8259, §6")
OBJECT = Rule("json.object", "the JSON document is an object", "RFC 8259, §4")

# A string (closed or not, so that none is scanned twice), or a bracket outside of strings.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


def load(data: bytes, limit: int) -> dict[str, object]:
    """Parse a JSON object of at most `limit` bytes, or raise `Malformed`."""
    if len(data) > limit:
        raise Malformed(SIZE, f"at most {limit} bytes", f"{len(data)} bytes")
    if b"\0" in data:
        raise Malformed(NUL, "no NUL", f"NUL at byte {data.index(0)}")
    text = _text(data)
    brackets = text.count("{") + text.count("[")  # no document nests deeper than this
    if brackets > MAX_DEPTH and (depth := _depth(text)) > MAX_DEPTH:
        raise Malformed(DEPTH, f"at most {MAX_DEPTH}", depth)
    value = _decode(text)
    if not isinstance(value, dict):
        raise Malformed(OBJECT, "an object", type(value).__name__)
    if "\\u" in text:
        for string in _strings(value):
            _refuse_escapes(string)
    return value


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(ENCODING, "UTF-8", f"byte {error.start}: {error.reason}") from error


def _depth(text: str) -> int:
    """The nesting depth, from the brackets outside of strings."""
    depth = deepest = 0
    for token in _TOKENS.finditer(text):
        if token[0] in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif token[0] in "]}":
            depth -= 1
    return deepest


def _decode(text: str) -> object:
    if text.startswith("\ufeff"):
        raise Malformed(SYNTAX, "JSON", _BYTE_ORDER_MARK)
    try:
        value: object = _DECODER.decode(text)
    except ValueError as error:  # an integer of more than 4300 digits too
        raise Malformed(SYNTAX, "JSON", str(error)[:100]) from error
    return value


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    before: set[str] = set()
    for key, _ in pairs:
        if key in before:
            break
        before.add(key)
    raise Malformed(DUPLICATE, "every key once", f"{key[:64]!a} twice")


def _refuse_constant(text: str) -> object:
    raise Malformed(NUMBER, "a finite number", text)


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Malformed(NUMBER, "a finite number", text[:32])
    return value


# `json.loads` would make a new one at each call, and refuses a byte order mark in these words.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_finite_float
)
_BYTE_ORDER_MARK = "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)"


def _strings(value: object) -> Iterator[str]:
    """Every string in `value`, keys included."""
    match value:
        case str():
            yield value
        case dict():
            for key, item in value.items():
                yield key
                yield from _strings(item)
        case list():
            for item in value:
                yield from _strings(item)
        case _:
            pass  # numbers, true, false, null


def _refuse_escapes(string: str) -> None:
    """Refuse NUL and lone surrogates, which only escapes can write."""
    if "\0" in string:
        raise Malformed(NUL, "no NUL", "an escaped NUL")
    if any("\ud800" <= char <= "\udfff" for char in string):
        raise Malformed(ENCODING, "Unicode text", "half a surrogate pair")
