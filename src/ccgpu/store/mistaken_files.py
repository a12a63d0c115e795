"""Says what a file is that was given in place of another kind, and which command reads it."""

import shlex
from collections.abc import Collection
from pathlib import Path

from ccgpu.errors import InvalidFile, Problem
from ccgpu.store import documents
from ccgpu.store.input_files import STDIN, STDIN_NAME, input_name, is_stdin, read_head

# By kind: what it is called, the fields that only it has all of, and what reads it.
_KINDS = {
    "recipe": ("an image's recipe", {"distribution"}, "image build {} --out DIR", "builds it"),
    "output image": ("an image's manifest", {"uki", "root"}, "image show {}", "shows it"),
    "policy": (
        "an appraisal policy",
        {"requires", "binding"},
        "verify EVIDENCE --policy {}",
        "judges by it",
    ),
    "bundle": ("evidence", {"made_at", "tool"}, "verify {}", "verifies it"),
    "output reference-values": (
        "golden PCR values",
        {"pcrs"},
        "verify EVIDENCE --pins {}",
        "compares with it",
    ),
}
_SPEC_FIELDS = {"regions", "ssh_from", "workload"}
_WITH_SPEC_FIELDS = ("spec", "config")  # the user's defaults are of some of them


def mistaken_for(wanted: str, source: str, fields: Collection[str]) -> str | None:
    """What a document with these fields is, and what reads it; None if that is what is `wanted`.

    source: the name of its file. None, too, if it is of no kind that is known.
    """
    name = STDIN if source == STDIN_NAME else shlex.quote(source)
    for kind, (what, marks, command, does) in _KINDS.items():
        if marks <= {*fields}:
            hint = f"it is {what}: `ccgpu {command.format(name)}` {does}"
            return None if kind == wanted else hint
    if wanted not in _WITH_SPEC_FIELDS and _SPEC_FIELDS & {*fields}:
        return f"it is a spec of a VM: `ccgpu create -f {name}` carries it out"
    return None


def mistaken_text(wanted: str, path: Path) -> str | None:
    """As `mistaken_for`, of a file that is perhaps no document at all."""
    try:
        return mistaken_bytes(wanted, path, read_head(path, documents.MAX_BYTES + 1))
    except (OSError, ValueError):
        return None


def mistaken_bytes(wanted: str, path: Path, raw: bytes) -> str | None:
    """As `mistaken_text`, of bytes that were read already."""
    try:
        found = documents.parse(raw, input_name(path))
    except InvalidFile:
        return None
    return mistaken_for(wanted, found.source, found.values)


def require_disk(path: Path) -> None:
    """Raise `InvalidFile` for a document in place of a disk, if it is of a kind that is known."""
    if not is_stdin(path) and (hint := mistaken_text("disk", path)):
        raise InvalidFile(str(path), [Problem("", "is no disk")], hint=hint)
