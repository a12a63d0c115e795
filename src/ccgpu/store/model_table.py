"""The table of models that ships with ccgpu."""

from functools import cache
from importlib import resources

from ccgpu.domain.models import ModelTable, parse_models
from ccgpu.store import documents

PATH = "templates/models.yaml"


@cache
def shipped() -> ModelTable:
    """The table, read once."""
    raw = (resources.files("ccgpu") / PATH).read_bytes()
    return parse_models(documents.parse(raw, PATH).values)
