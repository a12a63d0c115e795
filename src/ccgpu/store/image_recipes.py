"""Reads the recipe of an image, IMAGE.yaml, with the place of every problem."""

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.errors import InvalidFile, Problem
from ccgpu.store import documents
from ccgpu.store.documents import Document, FieldPath, dotted
from ccgpu.store.mistaken_files import mistaken_for

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from ccgpu.domain.image_recipe import ImageRecipe

HINT = "docs/measured-image-build.md lists every field"


def read_recipe(path: Path) -> "ImageRecipe":
    """The recipe in a YAML or JSON file.

    Raises:
        InvalidFile: with every problem and its place.
    """
    from pydantic import ValidationError

    from ccgpu.domain.image_recipe import ImageRecipe

    document = documents.read(path)
    try:
        return ImageRecipe.model_validate(document.values)
    except ValidationError as err:
        details = err.errors(include_url=False, include_input=False)
    problems = [_problem(document, each) for each in details]
    ordered = sorted(problems, key=lambda each: (each.line or 0, each.column or 0))
    hint = mistaken_for("recipe", document.source, document.values)
    raise InvalidFile(document.source, ordered, hint=hint or HINT)


def _problem(document: Document, error: "ErrorDetails") -> Problem:
    place: FieldPath = error["loc"]
    marked = next(place[:end] for end in range(len(place), -1, -1) if place[:end] in document.marks)
    line, column = document.marks[marked]
    return Problem(dotted(place), _message(error), line, column, document.source)


def _message(error: "ErrorDetails") -> str:
    from ccgpu.domain.image_recipe import (
        ImageRecipe,
        RecipeContainer,
        RecipeDistribution,
        RecipeFile,
    )
    from ccgpu.domain.spec.problems import message_for

    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] != "extra_forbidden":
        return message_for(error)
    *above, name = error["loc"]
    parts = {
        "distribution": RecipeDistribution.model_fields,
        "files": RecipeFile.model_fields,
        "containers": RecipeContainer.model_fields,
    }
    fields = parts[str(above[0])] if above else ImageRecipe.model_fields
    close = difflib.get_close_matches(str(name), list(fields), n=1)
    known = f"did you mean {close[0]}?" if close else f"there are {', '.join(fields)}"
    return f"is not a field here, {known}"
