"""The values that describe a workload in a VM: mounts, secrets, model, checks, restart policy.

All paths in the VM are ccgpu's own, below `/mnt/ccgpu` (the encrypted temporary disk) and
`/run/ccgpu` (memory). Nothing here holds the value of a secret.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

MODELS = "/mnt/ccgpu/models"
INPUTS = "/mnt/ccgpu/inputs"
OUTPUTS = "/mnt/ccgpu/outputs"
SECRETS = "/run/ccgpu/secrets"
FILES = "/run/ccgpu/files"
SECRETS_INSIDE = "/run/secrets"  # where engines put the secrets of a container
MODEL_INSIDE = "/model"
OPENSSL = "/opt/openssl"


class WorkloadKind(StrEnum):
    """server: answers requests until it is stopped. job: ends by itself. interactive: waits."""

    SERVER = "server"
    JOB = "job"
    INTERACTIVE = "interactive"


@dataclass(frozen=True, slots=True)
class WorkloadMount:
    """A file or folder of the VM (`source`) that the container sees as `target`."""

    source: str
    target: str
    read_only: bool = True

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the run line."""
        return ("-v", f"{self.source}:{self.target}{':ro' if self.read_only else ''}")


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable of the container. Its value is no secret."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A file of ccgpu's own that the container runs, such as the image server.

    It lies in the VM under the SHA-256 of its content, so that the event's mounts name the content.
    """

    name: str
    text: str
    target: str

    @property
    def sha256(self) -> str:
        """The SHA-256 (hex) of the UTF-8 text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def source(self) -> str:
        """Its path in the VM."""
        return f"{FILES}/{self.sha256}/{self.name}"

    @property
    def mount(self) -> WorkloadMount:
        """How the container sees it."""
        return WorkloadMount(self.source, self.target)


@dataclass(frozen=True, slots=True)
class PlanInput:
    """A file or folder of the user (`local`) that is copied to `mount.source` in the VM."""

    local: str
    mount: WorkloadMount


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """A model at one commit.

    manifest: `sha256:` and the digest of its `ModelManifest`. weights_gb: of its files of weights
    (10^9 bytes).
    """

    repository: str
    commit: str
    manifest: str
    weights_gb: float

    @property
    def folder(self) -> str:
        """Its folder in the VM; the commit and the manifest decide what is in it."""
        return f"{MODELS}/{self.repository.replace('/', '--')}/{self.commit}"


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A secret that the workload uses, by name.

    is_mounted: whether the container sees it, as the file `inside`. The others serve ccgpu's own
    script in the VM alone, which downloads the model with them.
    """

    name: str
    is_mounted: bool = True

    @property
    def source(self) -> str:
        """Its file in the VM, in memory."""
        return f"{SECRETS}/{self.name}"

    @property
    def inside(self) -> str:
        """Its file in the container."""
        return f"{SECRETS_INSIDE}/{self.name}"


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """`GET http://127.0.0.1:PORT/PATH` answers 200 within `deadline_seconds` of the start."""

    port: int
    path: str
    deadline_seconds: int
    interval_seconds: int = 5


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """What systemd does when the workload fails, and how long a stop may take.

    attempts: how often it is started again within `window_seconds`; 0: never.
    """

    attempts: int
    window_seconds: int = 1800
    delay_seconds: int = 10
    stop_seconds: int = 60
