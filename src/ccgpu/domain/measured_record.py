"""What this machine remembers of a deployment that it created from a measured image."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MeasuredRecord:
    """The manifest's absolute path and SHA-256 (hex), and the config that the VM was given.

    config_file: where the config is kept; empty before it is.
    """

    manifest: str
    manifest_sha256: str
    config: bytes
    config_sha256: str
    config_file: str = ""
