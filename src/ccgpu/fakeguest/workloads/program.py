"""What a simulated container runs: a model server, a command of the guest, or a scripted job.

A command that the guest knows (`echo`, `cat`, `nvidia-smi`, `sh -c 'exit N'`, …) runs as it does in
the guest, with the container's paths. Any other is a job that takes `workload.job` seconds.
"""

import base64
import json
import posixpath
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ccgpu.fakeguest.commands.call import Ending
from ccgpu.fakeguest.files import FileTree
from ccgpu.fakeguest.guest import GPU_NAME, SimulatedGuest
from ccgpu.fakeguest.workloads.request import StartRequest

_STEPS = 10  # lines about progress that a job prints
_FAILS_AFTER = 5.0  # seconds
RunCommand = Callable[[Sequence[str]], Ending]


class Program(NamedTuple):
    """What a container does. seconds: None if it runs without end. outputs: text or base64."""

    seconds: float | None
    exit_code: int
    lines: tuple[tuple[float, str], ...]
    healthy_after: float | None = None
    outputs: Mapping[str, str] = {}


def plan_program(guest: SimulatedGuest, request: StartRequest, run: RunCommand) -> Program:
    """The program of a container that starts now. run: runs a command of the guest."""
    fault = guest.settings["workload"]
    if fault == "exits":
        code = guest.settings["workload_exit_code"]
        line = f"the program ends with {code}, as the simulation's settings say"
        return Program(_FAILS_AFTER, code, ((0.0, "begin"), (_FAILS_AFTER, line)))
    if request.ports:
        return _server(guest, request, fault)
    ending = _run_known(request, run)
    return _job(guest, request) if ending is None else _command(ending)


def _server(guest: SimulatedGuest, request: StartRequest, fault: str) -> Program:
    seconds = guest.machine.durations["workload.load"]
    lines = [(0.0, f"loading {request.model_name} on {GPU_NAME}")]
    if fault == "unhealthy":
        return Program(None, 0, (*lines, (seconds, "still loading: 0 of 4 shards")))
    ready = (seconds, f"ready: listening on port {request.ports[0]}")
    return Program(None, 0, (*lines, ready), seconds)


def _run_known(request: StartRequest, run: RunCommand) -> Ending | None:
    """How a command of the guest ends in the container; None if the guest does not know it."""
    words = [_guest_path(request, word) for word in request.arguments]
    if not words:
        return None
    ending = run(words)
    is_unknown = ending.exit_code is None or b"this simulated guest" in ending.stderr
    return None if is_unknown else ending


def _guest_path(request: StartRequest, word: str) -> str:
    """A path of the container as the guest's; any other word as it is."""
    for mount in request.mounts:
        if word == mount.target or word.startswith(f"{mount.target.rstrip('/')}/"):
            return mount.source + word[len(mount.target.rstrip("/")) :]
    return word


def _command(ending: Ending) -> Program:
    text = (ending.stdout + ending.stderr).decode("utf-8", "replace")
    seconds = max(ending.seconds, 1.0)
    return Program(seconds, ending.exit_code or 0, tuple((seconds, one) for one in _split(text)))


def _split(text: str) -> list[str]:
    return text.rstrip("\n").split("\n") if text else []


def _job(guest: SimulatedGuest, request: StartRequest) -> Program:
    seconds = guest.machine.durations["workload.job"]
    lines = [(0.0, f"begin on {GPU_NAME if request.wants_gpu else 'the CPU'}")]
    for step in range(1, _STEPS + 1):
        loss = 2.4 * 0.8**step + 0.6
        lines.append((seconds * step / _STEPS, f"step {step}/{_STEPS} loss {loss:.3f}"))
    outputs = _outputs(guest, request) if request.outputs is not None else {}
    if outputs:
        lines.append((seconds, f"wrote {len(outputs)} files"))
    return Program(seconds, 0, tuple(lines), outputs=outputs)


def _outputs(guest: SimulatedGuest, request: StartRequest) -> dict[str, str]:
    """The files that a job writes: a summary, and the weights of an adapter."""
    result = {
        "simulated": True,
        "image": request.image,
        "model": request.model["repository"] if request.model else None,
        "loss": round(2.4 * 0.8**_STEPS + 0.6, 3),
        "inputs": _inputs(guest, request),
    }
    adapter = {"peft_type": "LORA", "r": 16, "base_model_name_or_path": result["model"]}
    files = {
        "result.json": json.dumps(result, indent=1) + "\n",
        "adapter/adapter_config.json": json.dumps(adapter, indent=1) + "\n",
    }
    texts = {path: base64.b64encode(text.encode()).decode() for path, text in files.items()}
    weights = base64.b64encode(_safetensors()).decode()
    return {**texts, "adapter/adapter_model.safetensors": weights}


def _inputs(guest: SimulatedGuest, request: StartRequest) -> dict[str, int]:
    """The files that were copied in for it, as the container sees them, with their sizes."""
    files, found = FileTree(guest), {}
    for mount in request.mounts:
        if mount.source.startswith("/mnt/ccgpu/inputs/"):
            for path in [mount.source, *files.list_below(mount.source)]:
                file = files.read(path)
                if file is not None:
                    below = posixpath.relpath(path, mount.source)
                    target = posixpath.normpath(posixpath.join(mount.target, below))
                    found[target] = len(file.data)
    return found


def _safetensors() -> bytes:
    """One tensor of four zeros, in the format of safetensors: length, header in JSON, data."""
    tensor = {"lora_A.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}
    header = json.dumps(tensor).encode()
    return struct.pack("<Q", len(header)) + header + bytes(16)
