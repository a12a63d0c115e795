"""Plans of the shipped workloads, with a pinned model where they need one."""

from typing import Any

from ccgpu.domain.spec.workload import Workload
from ccgpu.domain.workload.container import ContainerPlan
from ccgpu.domain.workload.resolve import resolve
from ccgpu.domain.workload.values import PinnedModel
from ccgpu.store import model_table, workload_templates

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PYTHON = "docker.io/library/python:3.12-slim"
_MODELS = {
    "diffusers": "stabilityai/stable-diffusion-xl-base-1.0",
    "sglang-images": "Qwen/Qwen-Image",
}


def pinned(repository: str = "HuggingFaceH4/zephyr-7b-beta", gb: float = 14.5) -> PinnedModel:
    """A pinned model."""
    return PinnedModel(repository, COMMIT, f"sha256:{'ab' * 32}", gb)


def plan_of(
    use: str, *, openssl: bool = True, model: Any = "default", **fields: Any
) -> ContainerPlan:
    """The plan of a shipped workload with these fields of the section; inputs are made up."""
    template = workload_templates.load(use)
    if use == "image":
        fields.setdefault("image", PYTHON)
    needed = [{"from": "./mine", "to": target} for target in template.inputs]
    section = Workload.model_validate({"use": use, "inputs": needed, **fields})
    if model == "default":
        name = _MODELS.get(use, "HuggingFaceH4/zephyr-7b-beta")
        model = pinned(name) if template.model == "required" else None
    known = None if model is None else model_table.shipped().find(model.repository)
    texts = {name: f"# {name}\n" for name in workload_templates.texts(use, template)}
    return resolve(template, section, model=model, known=known, openssl=openssl, texts=texts)
