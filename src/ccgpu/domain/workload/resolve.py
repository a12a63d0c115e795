"""Makes the plan of a container from a template, the section of the spec, and a pinned model.

Pure: the same values give the same plan, word for word. Everything that is wrong is named at once.
"""

from collections.abc import Iterator, Mapping

from ccgpu.domain.models import ModelEntry
from ccgpu.domain.spec.workload import Gpus, Workload
from ccgpu.domain.workload import parameters, refusals
from ccgpu.domain.workload.answers import known_answers
from ccgpu.domain.workload.container import ContainerPlan
from ccgpu.domain.workload.known_answers import KnownAnswers
from ccgpu.domain.workload.known_images import KnownImages
from ccgpu.domain.workload.template import PLACE, WorkloadTemplate
from ccgpu.domain.workload.values import (
    INPUTS,
    MODEL_INSIDE,
    OPENSSL,
    OUTPUTS,
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
from ccgpu.errors import InvalidFile, Problem

_OPENSSL_LIBRARIES = f"{OPENSSL}/lib64"  # templates/guest/files, the step `openssl`
# A server that fails is started again three times within half an hour, then left alone.
_SERVER_RESTARTS = 3
_HEALTH_MINUTES = 40


def resolve(
    template: WorkloadTemplate,
    workload: Workload,
    *,
    model: PinnedModel | None = None,
    known: ModelEntry | None = None,
    openssl: bool,
    texts: Mapping[str, str] = {},
) -> ContainerPlan:
    """The plan of the container.

    model: the pinned model, if the section names one. known: what the table of models says of it.
    openssl: whether the VM has the faster OpenSSL (`guest.openssl` of its spec). texts: the texts
    of the template's files, by name.

    Raises:
        InvalidFile: with every problem, by its field of the spec.
    """
    resolution = _Resolution(template, workload, model, known, openssl, texts)
    problems = [*resolution.problems()]
    if problems:
        raise InvalidFile("the workload", problems)
    return resolution.plan()


class _Resolution:
    """One resolution: the values, and the parts of the plan that are made from them."""

    def __init__(
        self,
        template: WorkloadTemplate,
        workload: Workload,
        model: PinnedModel | None,
        known: ModelEntry | None,
        openssl: bool,
        texts: Mapping[str, str],
    ) -> None:
        self.template, self.workload, self.model, self.known = template, workload, model, known
        self.openssl = openssl and template.library_path is not None and not workload.image
        self.name = workload.name or template.name
        self.image = workload.image or template.image or ""
        self.kind = workload.kind or template.kind
        self.outputs = workload.outputs or template.outputs
        self.values, self.parameter_problems = parameters.values(template, workload.parameters)
        self.ports = _ports(workload, template, self.values)
        self.files = tuple(PlanFile(f.file, texts[f.file], f.to) for f in template.files)
        self.inputs = tuple(
            PlanInput(each.from_, WorkloadMount(f"{INPUTS}/{self.name}/{number}", each.to))
            for number, each in enumerate(workload.inputs)
        )
        self.secrets = tuple(_secrets(template, workload))
        self.built_in = {
            "model": MODEL_INSIDE,
            "model_name": model.repository if model else "",
            "model_short": model.repository.partition("/")[2] if model else "",
            "port": str(self.ports[0]) if self.ports else "",
            "outputs": self.outputs or "",
        }

    def problems(self) -> Iterator[Problem]:
        yield from self.parameter_problems
        if not self.image:
            yield Problem("workload.image", f"is needed: {self.template.name} has none of its own")
        yield from self._model_problems()
        given = {each.to for each in self.workload.inputs}
        for target, what in self.template.inputs.items():
            if target not in given:
                yield Problem("workload.inputs", f"needs an entry with to: {target}: {what}")
        yield from self._refusals()

    def _model_problems(self) -> Iterator[Problem]:
        if self.template.model == "required" and self.model is None:
            yield Problem("workload.model", f"is needed for {self.template.name}")
        if self.template.model == "none" and self.model is not None:
            yield Problem("workload.model", f"is not used by {self.template.name}, leave it out")
        if self.known is not None and (why := self.known.refusal(self.template.name)):
            yield Problem("workload.model", why)

    def _refusals(self) -> Iterator[Problem]:
        found = [
            *(("options", text) for text in refusals.option_problems(self.template.options)),
            *(("inputs", text) for text in refusals.mount_problems(self.mounts())),
            *(("environment", text) for text in refusals.environment_problems(self.environment())),
            *(("ports", text) for text in refusals.port_problems(self._port_words())),
        ]
        yield from (Problem(f"workload.{field}", text) for field, text in found)

    def plan(self) -> ContainerPlan:
        health = self._health()
        return ContainerPlan(
            name=self.name,
            template=self.template.name,
            kind=self.kind,
            image=self.image,
            options=tuple(self._options()),
            command=tuple(self._command()),
            mounts=self.mounts(),
            environment=self.environment(),
            ports=self.ports,
            secrets=self.secrets,
            inputs=self.inputs,
            files=self.files,
            model=self.model,
            health=health,
            known_answers=self._answers(health),
            restart=self._restart(),
            outputs=self.outputs,
            gpu=self.workload.gpus is Gpus.ALL,
            gpu_memory_gb=self._gpu_memory(),
        )

    def _options(self) -> Iterator[str]:
        """Options of the run line, in a fixed order. `-d` is not one: systemd holds the engine."""
        yield from ("--rm", "--name", f"ccgpu-{self.name}", "--pull=never")
        if self.workload.gpus is Gpus.ALL:
            yield from ("--device", refusals.GPU_DEVICE)
        yield from self.template.options
        for word in self._port_words():
            yield from ("-p", word)
        for mount in self.mounts():
            yield from mount.words
        for variable in self.environment():
            yield from ("-e", f"{variable.name}={variable.value}")
        if self.template.entrypoint:
            yield f"--entrypoint={self.template.entrypoint}"

    def _port_words(self) -> tuple[str, ...]:
        return tuple(f"127.0.0.1:{port}:{port}" for port in self.ports)

    def _command(self) -> Iterator[str]:
        if self.workload.command:
            yield from self.workload.command
            return
        for part in self.template.command:
            if isinstance(part, str):
                yield self._filled(part)
            elif parameters.is_on(self.values[part.when]):
                yield from map(self._filled, part.words)

    def _filled(self, text: str) -> str:
        return PLACE.sub(lambda place: ({**self.values, **self.built_in})[place[1]], text)

    def mounts(self) -> tuple[WorkloadMount, ...]:
        mounts = [*(file.mount for file in self.files), *(each.mount for each in self.inputs)]
        if self.model is not None:
            mounts.append(WorkloadMount(self.model.folder, MODEL_INSIDE))
        if self.outputs is not None:
            mounts.append(WorkloadMount(f"{OUTPUTS}/{self.name}", self.outputs, read_only=False))
        mounts += [WorkloadMount(s.source, s.inside) for s in self.secrets if s.is_mounted]
        if self.openssl:
            mounts.append(WorkloadMount(OPENSSL, OPENSSL))
        return tuple(mounts)

    def environment(self) -> tuple[Variable, ...]:
        values = {name: self._filled(text) for name, text in self.template.environment.items()}
        if self.openssl:
            own = self.template.library_path
            values["LD_LIBRARY_PATH"] = f"{_OPENSSL_LIBRARIES}:{own}" if own else _OPENSSL_LIBRARIES
        values |= self.workload.environment
        return tuple(Variable(name, value) for name, value in sorted(values.items()))

    def _health(self) -> HealthCheck | None:
        if self.workload.health is not None:
            return HealthCheck(self.ports[0], self.workload.health, _HEALTH_MINUTES * 60)
        if self.template.health is None:
            return None
        minutes = self.template.health.deadline_minutes
        return HealthCheck(self.ports[0], self.template.health.path, minutes * 60)

    def _answers(self, health: HealthCheck | None) -> KnownAnswers | KnownImages | None:
        protocol = self.template.known_answers and self.template.known_answers.protocol
        if protocol is None or health is None or self.model is None or self.workload.command:
            return None
        name = self.model.repository
        if protocol == "images":
            return KnownImages(health.port, name)
        return known_answers(health.port, name, self.known, self.model.weights_gb)

    def _restart(self) -> RestartPolicy:
        attempts = _SERVER_RESTARTS if self.kind is WorkloadKind.SERVER else 0
        return RestartPolicy(attempts, stop_seconds=self.template.stop_seconds)

    def _gpu_memory(self) -> float | None:
        if self.workload.gpus is Gpus.NONE:
            return None
        beside = self.template.gpu_memory_gb
        weights = self.model.weights_gb if self.model is not None else 0.0
        return None if beside is None else beside + weights


def _ports(
    workload: Workload, template: WorkloadTemplate, values: Mapping[str, str]
) -> tuple[int, ...]:
    """The ports: the parameter `port` in place of the template's first one."""
    own = workload.ports or template.ports
    given = values.get("port", "")
    return (int(given), *own[1:]) if given.isdecimal() and own else own


def _secrets(template: WorkloadTemplate, workload: Workload) -> Iterator[SecretUse]:
    """Those that the section names; the template knows which of them the container does not see."""
    hidden = {each.name for each in template.secrets if not each.mounted}
    yield from (SecretUse(name, name not in hidden) for name in workload.secrets)
