"""Reads evidence from disk. The format is detected from the content, not from the file name.

A file in no known format, or beyond a bound, is an `InvalidFile` (exit code 3), not a rejection.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

from ccgpu.domain.evidence import Evidence
from ccgpu.errors import InvalidFile
from ccgpu.store.evidence import bounds, folder, single, thim
from ccgpu.store.evidence.limits import invalid_evidence, read_bytes
from ccgpu.store.mistaken_files import mistaken_bytes

__all__ = ["add_collateral", "check_evidence", "parse_evidence", "read_evidence"]


def read_evidence(path: Path, format_: str | None = None) -> Evidence:
    """The evidence at `path`, a file or a folder.

    `format_`: refuse every other format.

    Raises:
        InvalidFile: It is in no known format, not in this one, damaged, or beyond a bound.
    """
    if path.is_dir():
        return _require_format(path, folder.read_folder(path), format_)
    return parse_evidence(path, read_bytes(path), format_)


def parse_evidence(path: Path, data: bytes, format_: str | None = None) -> Evidence:
    """As `read_evidence`, of a file that was read already: a signature is over its bytes."""
    try:
        parsed = single.parse_file(path, data)
    except InvalidFile as err:
        err.hint = mistaken_bytes("bundle", path, data) or err.hint
        raise
    evidence = replace(parsed, file_sha256=hashlib.sha256(data).hexdigest())
    return _require_format(path, evidence, format_)


def _require_format(path: Path, evidence: Evidence, format_: str | None) -> Evidence:
    if format_ not in (None, evidence.format):
        raise invalid_evidence(path, f"is in the format {evidence.format}, not {format_}")
    return check_evidence(path, evidence)


def check_evidence(path: Path, evidence: Evidence) -> Evidence:
    """The evidence within the bounds, with the certificates in its THIM answer.

    path: where it is from, for messages.

    Raises:
        InvalidFile: It is beyond a bound.
    """
    bounds.check_bounds(path, evidence)
    return (
        evidence
        if evidence.cpu is None
        else replace(evidence, cpu=thim.complete_certificates(evidence.cpu))
    )


def add_collateral(evidence: Evidence, path: Path) -> Evidence:
    """`found`, given what lies in a folder of collateral; it comes before the evidence's own."""
    return bounds.check_bounds(path, folder.add_collateral(evidence, path))
