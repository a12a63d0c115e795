"""The document of `ccgpu --version -o json`: this build, and what it runs on."""

import sys
from collections.abc import Mapping
from importlib import metadata, resources
from typing import Any

from ccgpu import __version__

# The file that a build writes the commit's id into; a checkout has none.
COMMIT_FILE = "commit.txt"
_PACKAGES = (
    *("azure-core", "azure-identity", "azure-mgmt-compute", "azure-mgmt-network"),
    *("azure-mgmt-resource", "cryptography", "pydantic", "typer"),
)


def document() -> Mapping[str, Any]:
    """Version, commit (null: not known), Python, and the versions of SDK and libraries."""
    return {
        "schema": "ccgpu.version/1",
        "version": __version__,
        "commit": _commit(),
        "python": ".".join(map(str, sys.version_info[:3])),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _commit() -> str | None:
    """The commit that this was built from. A checkout is not asked: its files can be others."""
    try:
        return (resources.files("ccgpu") / COMMIT_FILE).read_text("ascii").strip() or None
    except FileNotFoundError:
        return None


def _version(name: str) -> str | None:
    """The version of an installed package; None if it is not installed as a package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
