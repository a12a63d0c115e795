"""Workloads of a guest as its log has them, and VMs that have started some."""

import json
from dataclasses import replace
from typing import Any

from ccgpu.fakeguest.evidence.cpu import SimulatedVm
from support.vms import vm

MODEL = {
    "repository": "example/small-model",
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "manifest": f"sha256:{'5c' * 32}",
}


def event(name: str = "chat", **changes: Any) -> dict[str, Any]:
    """An event, with some members changed."""
    digest = f"sha256:{'d1' * 32}"
    image = f"registry.example/server@{digest}"
    return {
        "schema": "ccgpu.workload-event/1",
        "name": name,
        "image": "registry.example/server:1.2",
        "image_digest": digest,
        "command": ["run", "--rm", "--name", f"ccgpu-{name}", "-p", "127.0.0.1:1:1", image],
        "mounts": ["/mnt/ccgpu/models/m:/models:ro"],
        "model": MODEL,
        "environment": ["HF_HOME"],
    } | changes


def encode(document: Any) -> bytes:
    """A document in canonical JSON, without a line feed."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def log_of(*documents: Any) -> bytes:
    """The log of these events."""
    return b"".join(encode(each) + b"\n" for each in documents)


def vm_with(*documents: Any) -> SimulatedVm:
    """A VM that measured these events and logs them."""
    return replace(vm(), workloads=tuple(map(encode, documents)))
