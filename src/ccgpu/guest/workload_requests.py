"""What the script for workloads is asked to do (`guest/workload.py`), as typed requests.

A name is `[a-z0-9][a-z0-9-]{0,62}`. `os_disk`: /mnt may lie on the VM's OS disk; else only the
encrypted temporary disk and memory will do.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ccgpu.domain.workload.values import RestartPolicy

HUB = "https://huggingface.co"
NEVER = RestartPolicy(attempts=0)


@dataclass(frozen=True, slots=True)
class HashedFile:
    """A file by its path in the repository, its size in bytes and its SHA-256 (64 hex digits)."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model at a commit (40 hex digits) with all its files; `manifest` is their digest."""

    repository: str
    commit: str
    manifest: str
    files: tuple[HashedFile, ...]


@dataclass(frozen=True, slots=True)
class FileText:
    """A file that the VM keeps at /run/ccgpu/files/SHA-256 OF THE TEXT/NAME."""

    name: str
    text: str


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
    from its registry. files: what the VM keeps for it, which `options` mount. replace: stop one of
    that name that runs.
    """

    action: ClassVar[str] = "start"
    name: str
    image: str
    options: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    pull: bool = True
    secrets: tuple[str, ...] = ()
    files: tuple[FileText, ...] = ()
    model: ModelFiles | None = None
    outputs: OutputsOwner | None = None
    restart: RestartPolicy = NEVER
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
