"""What the script for workloads is asked to do (`guest/workload.py`), as typed requests.

A name is `[a-z0-9][a-z0-9-]{0,62}`. `os_disk`: /mnt may lie on the VM's OS disk; else only the
encrypted temporary disk and memory will do.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

MODELS = "/mnt/ccgpu/models"
HUB = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class HashedFile:
    """A file by its path in the repository, its size in bytes and its SHA-256 (64 hex digits)."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """A model at a commit (40 hex digits). `manifest` is the digest of its files."""

    repository: str
    commit: str
    manifest: str
    files: tuple[HashedFile, ...]


def pin_model(repository: str, commit: str, files: Sequence[HashedFile]) -> PinnedModel:
    """The model with the digest of its files, in the order of their paths."""
    ordered = tuple(sorted(files, key=lambda file: file.path))
    return PinnedModel(repository, commit, manifest_digest(repository, commit, ordered), ordered)


def manifest_digest(repository: str, commit: str, files: Sequence[HashedFile]) -> str:
    """`sha256:` and the SHA-256 of the files' canonical JSON, as the log of workloads tells it."""
    ordered = sorted(files, key=lambda file: file.path)
    listed = [{"path": one.path, "sha256": one.sha256, "size": one.size} for one in ordered]
    document = {"commit": commit, "files": listed, "repository": repository}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def model_folder(repository: str, commit: str) -> str:
    """Where the files of a model lie in the VM."""
    return f"{MODELS}/{repository}/{commit}"


@dataclass(frozen=True, slots=True)
class OutputsOwner:
    """The user in the container that writes the outputs, by number."""

    owner: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareWorkload:
    """Make the folders of a workload; that of its inputs is empty, and the login user's."""

    action: ClassVar[str] = "prepare"
    name: str
    os_disk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StartWorkload:
    """Measure and start a container.

    options, arguments: the words of the run line before and after the image. pull: get the image
    from its registry. restart_limit: starts within ten minutes. stop_seconds: before a container
    that is told to stop is killed. replace: stop one of that name that runs.
    """

    action: ClassVar[str] = "start"
    name: str
    image: str
    options: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    pull: bool = True
    secrets: tuple[str, ...] = ()
    model: PinnedModel | None = None
    outputs: OutputsOwner | None = None
    restart: Literal["no", "on-failure", "always"] = "no"
    restart_limit: int = 5
    stop_seconds: int = 30
    os_disk: bool = False
    replace: bool = False
    pull_seconds: int = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class StopWorkload:
    """Stop a workload, and remove its container and its unit."""

    action: ClassVar[str] = "stop"
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusOfWorkload:
    """Tell the state of a workload."""

    action: ClassVar[str] = "status"
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWorkloads:
    """Tell the state of all workloads."""

    action: ClassVar[str] = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request to a workload. timeout: seconds. limit: bytes of an answer that are returned."""

    path: str
    method: Literal["GET", "POST"] = "GET"
    body: Any = None
    timeout: float = 60.0
    limit: int = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckWorkload:
    """Ask for the health of a workload, up to `wait` seconds, then make the requests in order."""

    action: ClassVar[str] = "check"
    name: str
    port: int
    health: str = "/health"
    wait: float = 0.0
    requests: tuple[HttpRequest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchModel:
    """Fetch the files of a model from a hub. token: the name of the secret that has its token."""

    action: ClassVar[str] = "fetch"
    repository: str
    commit: str
    files: tuple[HashedFile, ...]
    base: str = HUB
    token: str | None = None
    os_disk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowWorkload:
    """Stream the log of a workload, from `since` (seconds since the epoch) or its last lines."""

    action: ClassVar[str] = "follow"
    name: str
    since: float = 0.0
    lines: int | None = None
    until_end: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferOutputs:
    """Make the outputs of a workload readable for who logs in."""

    action: ClassVar[str] = "outputs"
    name: str


WorkloadRequest = (
    PrepareWorkload
    | StartWorkload
    | StopWorkload
    | StatusOfWorkload
    | ListWorkloads
    | CheckWorkload
    | FetchModel
    | FollowWorkload
    | OfferOutputs
)
