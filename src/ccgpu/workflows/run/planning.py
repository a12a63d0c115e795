"""The plan of a run: the workload's template, its pinned model, and the VM's own settings.

The VM is not asked, and nothing is sent to it. Its settings are those of its tag.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ccgpu.azure.run import Run
from ccgpu.domain.desired import Names
from ccgpu.domain.guest_tag import live_guest
from ccgpu.domain.model_fit import fit_problems
from ccgpu.domain.model_manifest import ModelManifest
from ccgpu.domain.models import ModelEntry
from ccgpu.domain.spec.guest import Guest, TempDisk
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.domain.spec.workload import Gpus, Workload
from ccgpu.domain.workload.resolve import resolve
from ccgpu.domain.workload.template import WorkloadTemplate
from ccgpu.errors import InvalidFile, Problem, UsageProblem
from ccgpu.store import model_table, workload_templates
from ccgpu.workflows.discovery.search import require_vm
from ccgpu.workflows.run.request import RunRequest

PinModel = Callable[[str], ModelManifest]
_OUTPUTS = "/outputs"  # where a container writes that says nothing else


@dataclass(frozen=True, slots=True)
class RunWishes:
    """What the user wants of a run, besides the spec: see `RunRequest`."""

    wait: bool = False
    output_dir: Path | None = None
    replace: bool = False
    then_delete: bool = False


def plan_run(
    run: Run, names: Names, spec: VmSpec, wishes: RunWishes, pin_model: PinModel
) -> RunRequest:
    """The plan of the workload in a spec, for the VM of a deployment.

    pin_model: the manifest of a model, by its reference.

    Raises:
        UsageProblem: The spec has no workload, it does not fit the GPU, or an option does not fit.
        InvalidFile: The workload is refused, with every problem.
        And as `require_vm` and `pin_model`.
    """
    workload = require_workload(spec)
    guest = spec.guest.model_copy(update=live_guest(require_vm(run, names)))
    request = make_request(spec, workload, guest, wishes, pin_model)
    request.require_usable()
    return request


def require_workload(spec: VmSpec, option: str = "--workload sglang") -> Workload:
    """The section `workload` of a spec; raises `UsageProblem` if there is none.

    option: what gives one on the command line of the command that asks.
    """
    if spec.workload is None:
        raise UsageProblem(
            f"it is not said what is to run in {spec.name}",
            hint=f"name a workload, as in `{option}`, or give the spec a section `workload:`",
        )
    return spec.workload


def make_request(
    spec: VmSpec, workload: Workload, guest: Guest, wishes: RunWishes, pin_model: PinModel
) -> RunRequest:
    """The request for a workload in a VM with these settings; nothing is read from Azure."""
    template = workload_templates.load(workload.use)
    if wishes.output_dir is not None and (workload.outputs or template.outputs) is None:
        workload = workload.model_copy(update={"outputs": _OUTPUTS})
    known: ModelEntry | None = None
    manifest: ModelManifest | None = None
    if workload.model is not None:
        known = model_table.shipped().find(workload.model.partition("@")[0])
        manifest = pin_model(workload.model)
        _require_fit(manifest, template, workload)
    plan = resolve(
        template,
        workload,
        model=None if manifest is None else manifest.pinned,
        known=known,
        openssl=guest.openssl,
        texts=workload_templates.texts(workload.use, template),
    )
    section = workload.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    if manifest is not None:
        section["model"] = f"{manifest.repository}@{manifest.commit}"
    return RunRequest(
        plan,
        section,
        manifest,
        {source.name: source for source in spec.secrets},
        wait=wishes.wait,
        output_dir=wishes.output_dir,
        replace=wishes.replace,
        then_delete=wishes.then_delete,
        os_disk=guest.temp_disk is not TempDisk.ENCRYPTED,
    )


def _require_fit(manifest: ModelManifest, template: WorkloadTemplate, workload: Workload) -> None:
    """Refuse a model that the GPU or the disk cannot hold, before anything is pulled."""
    beside = None if workload.gpus is Gpus.NONE else template.gpu_memory_gb
    quantized = "quantization" in workload.parameters
    problems = fit_problems(manifest, beside, model_table.shipped(), quantized=quantized)
    found = [Problem("workload.model", text) for text in problems]
    if found:
        raise InvalidFile("the workload", found)
