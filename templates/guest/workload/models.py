"""The files of a model: listed in a request by size and SHA-256, and lying in one folder.

The folder holds them and nothing else, since a container sees the whole folder.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccgpu.templates.guest.workload.base import Vm, WorkloadError, locked, progress
from ccgpu.templates.guest.workload.request import COMMIT, MODEL_FILES, REPOSITORY, SHA256, Request
from ccgpu.templates.guest.workload.storage import FOLDER

MANIFEST = "ccgpu.model-manifest/1"
BLOCK = 4 * 1024 * 1024  # bytes read at once
MOST = 2**50  # bytes of one file
PATH_LIMIT = 1024
PARTIAL = ".part"


@dataclass(frozen=True)
class ModelFile:  # one line of a manifest
    """A file by its path in the folder, its size in bytes and its SHA-256 (hex)."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Model:
    """A model at a commit, with all of its files in the order of their paths."""

    repository: str
    commit: str
    files: tuple[ModelFile, ...]

    @property
    def folder(self) -> str:
        """Where it lies in the VM."""
        return f"{FOLDER}/models/{self.repository.replace('/', '--')}/{self.commit}"

    @property
    def manifest(self) -> str:
        """The digest of its files, as the log of workloads tells it."""
        listed = [{"path": one.path, "sha256": one.sha256, "size": one.size} for one in self.files]
        document = {
            "schema": MANIFEST,
            "repository": self.repository,
            "commit": self.commit,
            "files": listed,
        }
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    @property
    def event(self) -> dict[str, str]:
        """What the event tells of it."""
        return {
            "repository": self.repository,
            "commit": self.commit,
            "manifest": self.manifest,
        }


def parse_model(request: Request) -> Model:
    """The model that a request lists."""
    listed = request.parts("files")
    if not 1 <= len(listed) <= MODEL_FILES:
        raise request.refuse("files", f"has {len(listed)} entries, not 1 to {MODEL_FILES}")
    files = [parse_file(one) for one in listed]
    paths = {one.path for one in files}
    folders = {parent for path in paths for parent in map(str, Path(path).parents)}
    if len(paths) != len(files) or paths & folders:
        raise request.refuse("files", "names a path twice")
    return Model(
        request.matching("repository", REPOSITORY),
        request.matching("commit", COMMIT),
        tuple(sorted(files, key=lambda file: file.path)),
    )


def parse_file(request: Request) -> ModelFile:
    """One listed file."""
    path = request.text("path")
    parts = path.split("/")
    is_plain = path.isprintable() and len(path.encode()) <= PATH_LIMIT
    if not is_plain or {"", ".", ".."} & set(parts) or path.endswith(PARTIAL):
        raise request.refuse("path", "is not a path in a repository")
    return ModelFile(path, request.whole("size", 0, MOST), request.matching("sha256", SHA256))


@contextmanager
def locked_model(vm: Vm, model: Model, *, shared: bool) -> Iterator[None]:
    """A lock of a model's folder: alone to change it, shared to read it."""
    key = hashlib.sha256(model.folder.encode()).hexdigest()[:16]
    what = f"a download of {model.repository}, or its check,"
    with locked(vm, f"model-{key}.lock", what, shared=shared):
        yield


def require_model(vm: Vm, model: Model) -> None:
    """Read the whole model again: each file is as listed, and there is no other."""
    folder = vm.below_root(model.folder)
    if folder.is_symlink() or not folder.is_dir():
        raise WorkloadError("model.absent", f"{model.folder} does not exist")
    listed = {one.path: one for one in model.files}
    found = set(paths_below(folder))
    if missing := sorted(listed.keys() - found):
        raise WorkloadError("model.absent", f"{model.folder} lacks {missing[0]}")
    if others := sorted(found - listed.keys()):
        raise WorkloadError("model.changed", f"{model.folder} holds {others[0]}, too")
    total, done = sum(one.size for one in model.files), 0
    for one in model.files:
        progress("check-model", done, total)
        if not is_as_listed(folder, one):
            raise WorkloadError("model.changed", f"{one.path} of {model.folder} has other content")
        done += one.size
    progress("check-model", total, total)


def paths_below(folder: Path) -> Iterator[str]:
    """The paths of everything below a folder that is not a folder itself."""
    for parent, folders, files in os.walk(folder, onerror=raise_it):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in files + links:
            yield (Path(parent) / name).relative_to(folder).as_posix()


def raise_it(err: OSError) -> None:
    """A folder that cannot be read is no empty one."""
    raise err


def is_as_listed(folder: Path, wanted: ModelFile) -> bool:
    """Whether a file has the size and the SHA-256 that are listed for it."""
    path = folder / wanted.path
    if path.is_symlink() or not path.is_file() or path.stat().st_size != wanted.size:
        return False
    with path.open("rb") as stream:
        return digest_of(stream).hexdigest() == wanted.sha256


def digest_of(stream: Any) -> "hashlib._Hash":
    """The SHA-256 of what is left in a stream."""
    digest, buffer = hashlib.sha256(), bytearray(BLOCK)
    view = memoryview(buffer)
    while size := stream.readinto(buffer):
        digest.update(view[:size])
    return digest
