"""The credential of a command's requests, as a field of its JSON document."""

from collections.abc import Mapping
from typing import Any


def with_sign_in(document: Mapping[str, Any], credential: str | None) -> dict[str, Any]:
    """The document with the name of the azure-identity credential that signed in."""
    return {**document, "signed_in_with": credential}
