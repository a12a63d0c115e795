"""The table of usual durations that ships with ccgpu."""

from functools import cache
from importlib import resources

from ccgpu.domain.durations import UsualDuration, parse_durations
from ccgpu.store import documents

PATH = "templates/durations.yaml"


@cache
def shipped() -> tuple[UsualDuration, ...]:
    """The table, read once."""
    raw = (resources.files("ccgpu") / PATH).read_bytes()
    return parse_durations(documents.parse(raw, PATH).values)
