"""The files of a model at one commit, each with its size and SHA-256: what is pulled, to the byte.

The digest of the manifest stands for all of it: it is measured before the workload starts, and a
lock file holds the manifest for later runs.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ccgpu.domain.workload.values import PinnedModel
from ccgpu.domain.workload.words import COMMIT, model_reference

SCHEMA = "ccgpu.model-manifest/1"
MAX_FILES = 1000
MAX_BYTES = 1024 * 1024  # of a manifest
_MAX_SIZE = 2**50
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PATH = re.compile(r"[A-Za-z0-9_.+@ ()\[\]=,/-]{1,512}", re.ASCII)
_WEIGHTS = (".safetensors", ".bin")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a model: its path in the repository, its size in bytes, its SHA-256 (hex)."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """repository: ORG/NAME on huggingface.co. commit: 40 hex digits. files: by path."""

    repository: str
    commit: str
    files: tuple[ModelFile, ...]

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def weights(self) -> int:
        """The bytes of the files of weights."""
        return sum(file.size for file in self.files if file.path.endswith(_WEIGHTS))

    @property
    def digest(self) -> str:
        """`sha256:` and the SHA-256 (hex) of `to_bytes`."""
        return f"sha256:{hashlib.sha256(self.to_bytes()).hexdigest()}"

    @property
    def pinned(self) -> PinnedModel:
        """What the plan of a workload says of it."""
        return PinnedModel(self.repository, self.commit, self.digest, self.weights / 10**9)

    def to_bytes(self) -> bytes:
        """Canonical JSON: sorted names, no blanks, ASCII, and no newline at the end."""
        document = {
            "schema": SCHEMA,
            "repository": self.repository,
            "commit": self.commit,
            "files": [
                {"path": file.path, "size": file.size, "sha256": file.sha256} for file in self.files
            ],
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def make_manifest(repository: str, commit: str, files: Mapping[str, ModelFile]) -> ModelManifest:
    """The manifest of these files, by path.

    Raises:
        ValueError: a field is not what it has to be; the text names it.
    """
    problems = [
        *_name_problems(repository, commit),
        *(text for file in files.values() for text in _file_problems(file)),
    ]
    if not files or len(files) > MAX_FILES:
        problems.append(f"has {len(files)} files, and 1 to {MAX_FILES} are allowed")
    if problems:
        raise ValueError("; ".join(problems[:5]))
    return ModelManifest(repository, commit, tuple(files[path] for path in sorted(files)))


def parse_manifest(raw: bytes) -> ModelManifest:
    """The manifest in the bytes of a lock file; blanks between its parts do not matter.

    Raises:
        ValueError: it is none: the text says why.
    """
    if len(raw) > MAX_BYTES:
        raise ValueError(f"has more than {MAX_BYTES} bytes")
    try:
        values = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        raise ValueError(f"is not {SCHEMA}")
    if values.keys() != {"schema", "repository", "commit", "files"}:
        raise ValueError("has other fields than schema, repository, commit and files")
    if not isinstance(values["files"], list):
        raise ValueError("has files that are no list")  # noqa: TRY004  # bad data, not a bad call
    found = [_file(each) for each in values["files"]]
    by_path = {file.path: file for file in found}
    if len(by_path) != len(found):
        raise ValueError("has a file twice")
    return make_manifest(values["repository"], values["commit"], by_path)


def _file(values: Any) -> ModelFile:
    if not isinstance(values, dict) or values.keys() != {"path", "size", "sha256"}:
        raise ValueError("has a file with other fields than path, size and sha256")
    if not isinstance(values["path"], str):
        raise ValueError("has a file whose path is no text")  # noqa: TRY004  # as above
    return ModelFile(values["path"], values["size"], values["sha256"])


def _name_problems(repository: Any, commit: Any) -> list[str]:
    problems = []
    try:
        usable = isinstance(repository, str) and "@" not in model_reference(repository)
    except ValueError:
        usable = False
    if not usable:
        problems.append("repository is not ORG/NAME")
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        problems.append("commit is not 40 hex digits")
    return problems


def _file_problems(file: ModelFile) -> list[str]:
    problems = []
    size: Any = file.size
    sha256: Any = file.sha256
    if not is_safe_path(file.path):
        problems.append("a file's path leads elsewhere, or has unusual characters")
    if type(size) is not int or not 0 <= size <= _MAX_SIZE:
        problems.append(f"{file.path!r} has no size")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        problems.append(f"{file.path!r} has no SHA-256")
    return problems


def is_safe_path(path: str) -> bool:
    """Whether a path stays in its folder, and means the same to every program."""
    parts = path.split("/")
    return _PATH.fullmatch(path) is not None and not {"", ".", ".."} & set(parts)
