"""The answer of the probe in a VM that is ready, with the texts of a real NCC40ads_H100_v5."""

import json
from typing import Any

from ccgpu.guest.probe import DRIFT, LOG, SETUP, ProbeAnswer, parse

STEPS = (
    "sources",
    "updates",
    "kernel",
    "lkca",
    "driver",
    "persistence",
    "docker",
    "container-toolkit",
    "openssl",
    "temp-disk",
    "gpu",
    "lockdown",
)
MODULE = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  595.71.05  Release Build  "
    "(dvs-builder@U22-I3)\nGCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2)\n"
)
BOOT_ID = "3f1c0a3e-0000-4000-8000-000000000001"
OUTPUTS = {
    "cloud-init": '{"status": "done", "errors": []}',
    "secure-boot": "SecureBoot enabled\n",
    "boot-id": f"{BOOT_ID}\n",
    "cc-status": "CC status: ON\n",
    "cc-environment": "CC Environment: PRODUCTION\n",
    "dev-tools": "DevTools Mode: OFF\n",
    "ready": "Confidential Compute GPUs Ready state: not-ready\n",
    "gpus": "NVIDIA H100 NVL, 595.71.05, 96.00.88.00.11, Enabled, GPU-0\n",
    "module": MODULE,
    "held": "linux-image-azure-fde\nnvidia-driver-595-server-open\n",
    "disks": '{"blockdevices": [{"name": "sda", "type": "disk", "mountpoints": ["/"]}]}',
    "space": "Mounted on Avail Use%\n/ 214748364800 12%\n",
    "swap": "",
    "cryptography": "",
}


def steps(**states: str) -> list[dict[str, Any]]:
    """The steps of the set-up, done unless another state is given."""
    return [
        {
            "step": name,
            "state": states.get(name.replace("-", "_"), "done"),
            "exit_code": 0,
            "message": "",
            "began": "2026-11-29T12:00:00Z",
            "ended": "2026-11-29T12:00:09Z",
        }
        for name in STEPS
    ]


def setup_file(
    state: str = "done", step: str = "lockdown", boot_id: str = BOOT_ID, **states: str
) -> str:
    """The text of the set-up's status file."""
    document = {"schema": "ccgpu.setup/1", "id": "0123456789abcdef", "state": state, "step": step}
    return json.dumps(document | {"boot_id": boot_id, "steps": steps(**states)})


def answer(
    outputs: dict[str, str | tuple[int | None, str]] | None = None,
    files: dict[str, str | None] | None = None,
) -> ProbeAnswer:
    """The answer of a ready guest, with these outputs and files instead."""
    results = {}
    for key, value in (OUTPUTS | (outputs or {})).items():
        code, text = value if isinstance(value, tuple) else (0, value)
        results[key] = {"exit": code, "stdout": text, "stderr": ""}
    texts = {SETUP: setup_file(), DRIFT: '{"problems": []}'}
    document = {
        "schema": "ccgpu.probe/1",
        "commands": results,
        "files": texts | (files or {}),
        "tails": {LOG: ["last line"]},
    }
    return parse(json.dumps(document).encode())
