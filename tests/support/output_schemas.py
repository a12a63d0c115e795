"""Every JSON document of a command, against the schema that `ccgpu schema output` prints.

`Shell` checks what each command line of a test answers, so an undocumented member fails a test.
"""

import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from typing import Any

from jsonschema import (  # type: ignore[import-untyped]  # its stubs are a package of their own
    Draft202012Validator,
    FormatChecker,
)

from ccgpu.views.schemas.table import ANSWERS, SCHEMAS, document_name

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_LIKE_A_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?( ?UTC|Z|[+-]\d\d:?\d\d)?")
_JSON = re.compile(r"(^| )(-\w*o ?|--output[ =])json( |$)")
_AZURES = {"body", "wanted", "found", "current", "new"}  # members in ARM's words
FORMATS = FormatChecker(formats=())


def _is_time(value: object) -> bool:
    """RFC 3339 in UTC, with Z."""
    if not isinstance(value, str):
        return True
    return _TIME.fullmatch(value) is not None and datetime.fromisoformat(value).tzinfo is not None


def _is_date(value: object) -> bool:
    return not isinstance(value, str) or date.fromisoformat(value).isoformat() == value


FORMATS.checkers |= {"date-time": (_is_time, ValueError), "date": (_is_date, ValueError)}


@cache
def validator(name: str) -> Any:
    """The validator of the documents of this name."""
    return Draft202012Validator(SCHEMAS[name](), format_checker=FORMATS)


def require_valid(document: Any, allowed: tuple[str, ...] | None = None) -> None:
    """Fail unless the document is of a known kind, one of `allowed`, and as its schema says."""
    title = str(document.get("schema")) if isinstance(document, dict) else "no object"
    name = document_name(title)
    assert name in SCHEMAS, f"`ccgpu schema output` has no {title}"
    assert allowed is None or name in allowed, f"{title} is none of {allowed}"
    problems = [f"{one.json_path}: {one.message}" for one in validator(name).iter_errors(document)]
    problems += [f"{path} is a time without Z: {text}" for path, text in _wrong_times(document)]
    text = "; ".join(problems)
    assert not problems, f"{title} is not as its schema says: {text[:2000]}"


def _wrong_times(value: Any, path: str = "$") -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and _LIKE_A_TIME.fullmatch(value) and not _TIME.fullmatch(value):
        yield path, value
    pairs = value.items() if isinstance(value, dict) else ()
    for name, each in [*pairs, *enumerate(value if isinstance(value, list) else ())]:
        if name not in _AZURES:
            yield from _wrong_times(each, f"{path}.{name}")


def documents(text: str) -> list[Any]:
    """The one document of the text, or that of each of its lines."""
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]


def check_answer(argv: list[str], out: str, err: str) -> None:
    """Check the documents of a command line: its answer, unless a query cut it, and stderr."""
    for line in err.splitlines():
        if line.startswith('{"schema": "ccgpu.'):
            require_valid(json.loads(line), ("error", "event", "request"))
    words = argv[: argv.index("--")] if "--" in argv else argv
    if not out or not _wants_json(words):
        return
    if words[0].startswith("-"):  # of `ccgpu` itself
        require_valid(json.loads(out), ("version",))
        return
    name = " ".join(words[:2]) if " ".join(words[:2]) in ANSWERS else words[0]
    assert name in ANSWERS, f"no schema is known of the answers of `ccgpu {name}`"
    for document in documents(out):
        require_valid(document, ANSWERS[name])


def _wants_json(words: list[str]) -> bool:
    """Whether the whole document is asked for."""
    queried = any(word.startswith("--query") for word in words)
    return not queried and _JSON.search(" ".join(words)) is not None
