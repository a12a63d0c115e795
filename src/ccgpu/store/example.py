"""The evidence of a simulated VM that ships with ccgpu, and the challenge that it answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

FOLDER = ("example",)
BUNDLE = "bundle.json"
SENT_AT = datetime(2026, 1, 1, 0, 25, tzinfo=UTC)  # its nonce: 25 minutes after its VM was created


@contextmanager
def example_folder() -> Iterator[Path]:
    """The folder with the bundle (`BUNDLE`); its records of challenges are as in a state folder."""
    with resources.as_file(resources.files("ccgpu").joinpath("templates", *FOLDER)) as folder:
        yield folder
