"""Which credential a document's answers were asked with."""

from collections.abc import Mapping
from typing import Any


def with_sign_in(document: Mapping[str, Any], credential: str | None) -> dict[str, Any]:
    """The document, and the name of the credential (azure-identity's) that Azure was asked with."""
    return {**document, "signed_in_with": credential}
