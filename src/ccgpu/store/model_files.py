"""Validates documents by pydantic models; every problem is reported with its place."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ccgpu.errors import InvalidFile, Problem
from ccgpu.store.documents import Document, dotted
from ccgpu.store.mistaken_files import mistaken_for

T = TypeVar("T")


def validate(
    document: Document, model: Callable[[Mapping[str, Any]], T], schema: str, hint: str
) -> T:
    """What `model` makes of the document; `ccgpu schema` and the words `schema` print its fields.

    Raises:
        InvalidFile: It is not valid; with `hint`.
    """
    from pydantic import ValidationError

    from ccgpu.domain.policy import policy_problems

    values = {key: value for key, value in document.values.items() if key != "$schema"}
    try:
        return model(values)
    except ValidationError as err:
        found = policy_problems(err, schema)
        problems = [_locate(document, each.path, each.message) for each in found]
        hint = mistaken_for(schema, document.source, document.values) or hint
        raise InvalidFile(document.source, problems, hint=hint) from err


def _locate(document: Document, path: tuple[str | int, ...], message: str) -> Problem:
    """The problem at the place of its field, or of the nearest parent."""
    for end in range(len(path), -1, -1):
        if (mark := document.marks.get(path[:end])) is not None:
            return Problem(dotted(path), message, mark.line, mark.column, document.source)
    return Problem(dotted(path), message, source=document.source)
