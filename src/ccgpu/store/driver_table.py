"""The table of GPU drivers that ships with ccgpu."""

from functools import cache
from importlib import resources

from ccgpu.domain.drivers import DriverTable, parse_table
from ccgpu.store import documents

PATH = "templates/guest/drivers.yaml"


@cache
def shipped() -> DriverTable:
    """The table, read once."""
    raw = (resources.files("ccgpu") / PATH).read_bytes()
    return parse_table(documents.parse(raw, PATH).values)
