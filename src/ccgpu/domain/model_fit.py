"""Whether a model fits the GPU and the disk, before anything of it is pulled."""

from collections.abc import Iterator

from ccgpu.domain.model_manifest import ModelManifest
from ccgpu.domain.models import GPU_MEMORY_GB, TEXT, ModelEntry, ModelTable

# Standard_NCC40ads_H100_v5 has a temporary disk of 800 GiB (Microsoft Learn); file system and
# container images take their part.
TEMP_DISK_GB = 800.0
_DISK_RESERVE_GB = 40.0
_SHOWN = 3
_HALVING = "quantization=fp8"


def fit_problems(
    manifest: ModelManifest,
    beside_gb: float | None,
    table: ModelTable,
    *,
    quantized: bool = False,
    disk_gb: float = TEMP_DISK_GB,
) -> Iterator[str]:
    """Why a model does not fit, each as the end of a sentence, with what would fit.

    beside_gb: GPU memory that the workload needs beside the weights; None: the model is not loaded
    by what ccgpu knows, so that only the disk counts. quantized: the weights are halved while they
    are loaded. disk_gb: of the disk that holds models (10^9 bytes).
    """
    if beside_gb is not None:
        weights = manifest.weights / 10**9 / (2 if quantized else 1)
        if weights + beside_gb > GPU_MEMORY_GB:
            known = table.find(manifest.repository)
            yield (
                f"has {weights:.0f} GB of weights and needs about {beside_gb:.0f} GB beside them; "
                f"the GPU has {GPU_MEMORY_GB:.0f} GB: {_advice(known, beside_gb, table)}"
            )
    room = disk_gb - _DISK_RESERVE_GB
    if manifest.size / 10**9 > room:
        size = manifest.size / 10**9
        yield f"has {size:.0f} GB of files, and the disk has room for {room:.0f} GB"


def _advice(known: ModelEntry | None, beside_gb: float, table: ModelTable) -> str:
    """What fits instead."""
    if known is not None and known.use_instead is not None:
        return f"use {known.use_instead}"
    if known is not None and known.weights_gb / 2 + beside_gb <= GPU_MEMORY_GB:
        return f"halve it with the parameter {_HALVING}"
    kind = known.kind if known is not None else TEXT
    fitting = [each.repository for each in table.alternatives(beside_gb, kind)[:_SHOWN]]
    return f"a form of it in FP8 or AWQ may fit, or for example {', '.join(fitting)}"
