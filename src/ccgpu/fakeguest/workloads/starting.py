"""The actions `prepare` and `start` of the simulated workload script."""

import hashlib
from collections.abc import Mapping
from typing import Any

from ccgpu.fakearm import StoredFile
from ccgpu.fakeguest.commands.call import Ending
from ccgpu.fakeguest.workload_log import append_event
from ccgpu.fakeguest.workloads.call import ROOT, WorkloadCall, WorkloadRefused, model_folder
from ccgpu.fakeguest.workloads.program import plan_program
from ccgpu.fakeguest.workloads.request import Mount, StartRequest, digest_in, read_name
from ccgpu.fakeguest.workloads.runs import WorkloadRun

_FREE_BYTES = 560_000_000_000  # of the temporary disk of this size of VM, own
_CDI = (
    "docker: Error response from daemon: CDI device injection failed: unresolvable CDI devices "
    "nvidia.com/gpu=all"
)


def prepare(call: WorkloadCall) -> Ending:
    """Make the folders of a workload; its inputs are empty from now on."""
    name, storage = read_name(call.asked), call.storage()
    inputs, outputs = f"{ROOT}/inputs/{name}", f"{ROOT}/outputs/{name}"
    for path in call.files.list_below(inputs):
        call.files.remove(path)
    for folder in (inputs, outputs):
        call.runs.add_folder(folder)
    return call.answer(inputs=inputs, outputs=outputs, storage=storage, free=_FREE_BYTES)


def start(call: WorkloadCall) -> Ending:
    """Pull, measure and start a workload."""
    request = StartRequest.read(call.asked)
    call.require_engine()
    _require_free_name(call, request)
    for secret in request.secrets:
        if call.files.read(f"/run/ccgpu/secrets/{secret}") is None:
            raise WorkloadRefused("secret.absent", f"the secret {secret} is not in the VM")
    if request.model is not None:
        _require_model(call, request.model)
    if request.outputs is not None:
        call.storage()
        call.runs.add_folder(f"{ROOT}/outputs/{request.name}")
    for name, text in request.files:
        folder = f"/run/ccgpu/files/{hashlib.sha256(text.encode()).hexdigest()}"
        call.files.write(f"{folder}/{name}", StoredFile(0o644, text.encode()))
    for mount in request.mounts:
        _require_source(call, mount)
    digest, pulled = _pull(call, request)
    if request.wants_gpu and _lacks_gpu(call):
        raise WorkloadRefused("gpu.cdi", _CDI, pulled)
    return _begin(call, request, digest, pulled)


def _require_free_name(call: WorkloadCall, request: StartRequest) -> None:
    before = call.runs.all().get(request.name)
    if before is not None and not before.state(call.now).is_ended and not request.replace:
        raise WorkloadRefused("exists", f"the workload {request.name} runs already")


def _require_model(call: WorkloadCall, model: Mapping[str, Any]) -> None:
    folder = model_folder(str(model["repository"]), str(model["commit"]))
    content = call.runs.folders().get(folder)
    if content is None:
        raise WorkloadRefused("model.absent", f"the model is not in {folder}")
    if content != model["manifest"]:
        raise WorkloadRefused(
            "model.changed", f"the files in {folder} are not those of the manifest"
        )


def _require_source(call: WorkloadCall, mount: Mount) -> None:
    folders = call.runs.folders()
    source = mount.source.rstrip("/")
    parts = (f"{folder}/" for folder in folders)
    known = source in folders or call.files.read(source) or call.files.is_folder(source)
    openssl = source == "/opt/openssl" and call.guest.has_step("openssl")
    if not (known or openssl or any(part.startswith(f"{source}/") for part in parts)):
        raise WorkloadRefused("mount.absent", f"{mount.source} is not in the VM")


def _pull(call: WorkloadCall, request: StartRequest) -> tuple[str, float]:
    """The image's digest, and the virtual seconds that pulling took."""
    name, _, _ = request.image.partition("@")
    digest = digest_in(request.image) or f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
    if digest in call.runs.images():
        return digest, 0.0
    if not request.pull:
        raise WorkloadRefused("image.absent", f"the image {request.image} is not in the VM")
    if call.guest.settings["workload"] == "pull-fails":
        why = "manifest unknown: manifest unknown"
        message = f"docker: Error response from daemon: manifest for {request.image}: {why}"
        raise WorkloadRefused("image.pull", message, 10.0)
    call.runs.add_image(digest)
    return digest, call.guest.machine.durations["workload.pull"]


def _lacks_gpu(call: WorkloadCall) -> bool:
    guest = call.guest
    toolkit = guest.has_step("container-toolkit")
    return guest.settings["workload"] == "no-gpu" or not (guest.is_driver_usable and toolkit)


def _begin(call: WorkloadCall, request: StartRequest, digest: str, pulled: float) -> Ending:
    """Extend PCR 13, append the event, and start the container."""
    image = f"{_repository(request.image)}@{digest}"
    line = ["run", *request.options, image, *request.arguments]
    measured = append_event(call.guest, _event(request, digest, line))
    program = plan_program(call.guest, request, call.run)
    run = WorkloadRun(
        name=request.name,
        request=call.asked,
        image=request.image,
        image_digest=digest,
        began=call.now + pulled,
        seconds=program.seconds,
        exit_code=program.exit_code,
        healthy_after=program.healthy_after,
        fault=call.guest.settings["workload"],
        lines=program.lines,
        outputs=program.outputs,
        attempts=request.attempts,
        delay=request.delay,
    )
    call.runs.keep(run)
    state = run.state(run.began)
    return call.answer(
        pulled,
        name=run.name,
        state=state.name,
        exit_code=state.exit_code,
        since=run.began,
        started_at=run.began,
        image_digest=digest,
        run=line,
        event=measured.decode(),
        pcr13=call.guest.pcr13.hex(),
    )


def _repository(image: str) -> str:
    """An image's reference without tag and digest."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(":")[0]


def _event(request: StartRequest, digest: str, line: list[str]) -> dict[str, Any]:
    model = request.model
    parts = ("repository", "commit", "manifest")
    return {
        "schema": "ccgpu.workload-event/1",
        "name": request.name,
        "image": request.image,
        "image_digest": digest,
        "command": line,
        "mounts": request.mount_words,
        "model": None if model is None else {part: model[part] for part in parts},
        "environment": request.variables,
    }
