"""What is started in a VM for a workload: one container, with every word decided.

Pure and frozen. The image's digest is the one thing that is found out in the VM; `run_words` puts
the image that was found at its place.
"""

from dataclasses import dataclass

from ccgpu.domain.workload.known_answers import KnownAnswers
from ccgpu.domain.workload.known_images import KnownImages
from ccgpu.domain.workload.values import (
    HealthCheck,
    PinnedModel,
    PlanFile,
    PlanInput,
    RestartPolicy,
    SecretUse,
    Variable,
    WorkloadKind,
    WorkloadMount,
)


@dataclass(frozen=True, slots=True)
class ContainerPlan:
    """One container of a workload.

    name: the workload's name in the VM. template: what it was made from. image: a reference with a
    tag, a digest (`@sha256:…`) or both. options: words of the run line before the image. command:
    words after it. environment, ports, mounts: what `options` says, for whoever wants to read it.
    mounts holds all: files, inputs, model, outputs, secrets, OpenSSL. inputs: what is copied into
    the VM before the start. files: what ccgpu itself puts there. outputs: the folder in the
    container whose content is fetched afterwards; None if there is none. gpu_memory_gb: what it
    needs at least, weights included (10^9 bytes); None if unknown.
    """

    name: str
    template: str
    kind: WorkloadKind
    image: str
    options: tuple[str, ...]
    command: tuple[str, ...]
    mounts: tuple[WorkloadMount, ...]
    environment: tuple[Variable, ...]
    ports: tuple[int, ...]
    secrets: tuple[SecretUse, ...]
    inputs: tuple[PlanInput, ...]
    files: tuple[PlanFile, ...]
    model: PinnedModel | None
    health: HealthCheck | None
    known_answers: KnownAnswers | KnownImages | None
    restart: RestartPolicy
    outputs: str | None
    gpu: bool
    gpu_memory_gb: float | None

    @property
    def container(self) -> str:
        """The container's name."""
        return f"ccgpu-{self.name}"

    @property
    def unit(self) -> str:
        """The name of its systemd unit."""
        return f"ccgpu-workload-{self.name}.service"

    def run_words(self, image: str | None = None) -> tuple[str, ...]:
        """The words of the run line after the engine's name: `run`, options, image, command.

        image: the image as it was found in the VM, `REPOSITORY@sha256:…`; by default the one asked
        for.
        """
        return ("run", *self.options, image or self.image, *self.command)
