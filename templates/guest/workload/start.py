"""Starts a container: what it needs is there, what it is was measured, and it runs.

The order matters: nothing runs that PCR 13 and the log do not tell.
"""

import hashlib
import os
import re
import time
from dataclasses import dataclass
from typing import Any

from ccgpu.templates.guest.workload.base import (
    NAME,
    RUN,
    Vm,
    WorkloadError,
    locked_name,
    progress,
    run_folder,
)
from ccgpu.templates.guest.workload.devices import require_gpu
from ccgpu.templates.guest.workload.images import ENGINE, REFERENCE, engine, find_image
from ccgpu.templates.guest.workload.journal import last_words
from ccgpu.templates.guest.workload.measure import measure
from ccgpu.templates.guest.workload.models import Model, locked_model, parse_model, require_model
from ccgpu.templates.guest.workload.request import Request
from ccgpu.templates.guest.workload.runline import check_options, event_line, mounts_of, wants_gpu
from ccgpu.templates.guest.workload.secrets import require_secrets
from ccgpu.templates.guest.workload.stop import stop_workload
from ccgpu.templates.guest.workload.storage import FOLDER, make_folder, require_storage
from ccgpu.templates.guest.workload.units import (
    ENDED,
    Restarts,
    is_there,
    render_unit,
    state_of,
    systemctl,
    unit_of,
    write_unit,
)

FILES = "files"  # in /run/ccgpu
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
ENGINE_FAILED = (125, 126, 127)  # docker-run(1), Exit status: no container, or no command in it
MOST_SECONDS = 86_400


@dataclass(frozen=True)
class Wanted:
    """What is to be started. owner: the number of the user that writes outputs; None: no outputs.

    files: name and text of each.
    """

    name: str
    image: str
    options: list[str]
    arguments: list[str]
    pull: bool
    pull_seconds: float
    secrets: list[str]
    files: list[tuple[str, str]]
    model: Model | None
    owner: int | None
    restarts: Restarts
    os_disk: bool
    replace: bool


def parse_wanted(request: Request) -> Wanted:
    """What a request wants."""
    wanted = Wanted(
        name=request.name,
        image=request.matching("image", REFERENCE),
        options=request.words("options"),
        arguments=request.words("arguments"),
        pull=request.flag("pull"),
        pull_seconds=request.number("pull_seconds", 1, MOST_SECONDS),
        secrets=request.words("secrets"),
        files=[
            (one.matching("name", FILE_NAME), one.text("text")) for one in request.parts("files")
        ],
        model=None if request.is_null("model") else parse_manifest(request.part("model")),
        owner=None
        if request.is_null("outputs")
        else request.part("outputs").whole("owner", 0, 2**31),
        restarts=parse_restarts(request.part("restart")),
        os_disk=request.flag("os_disk"),
        replace=request.flag("replace"),
    )
    if not all(NAME.fullmatch(one) for one in wanted.secrets):
        raise request.refuse("secrets", "names what is no secret")
    check_options(wanted.name, wanted.options)
    return wanted


def parse_manifest(request: Request) -> Model:
    """The model of a request, whose digest must be that of its files."""
    model = parse_model(request)
    if request.text("manifest") != model.manifest:
        raise request.refuse("manifest", f"is not the digest of the files, {model.manifest}")
    return model


def parse_restarts(request: Request) -> Restarts:
    """When a workload that fails is started again."""
    return Restarts(
        attempts=request.whole("attempts", 0, 1000),
        window=request.whole("window_seconds", 1, MOST_SECONDS),
        delay=request.whole("delay_seconds", 0, MOST_SECONDS),
        stop=request.whole("stop_seconds", 0, 3600),
    )


def start(vm: Vm, request: Request) -> dict[str, Any]:
    """Start a workload."""
    wanted = parse_wanted(request)
    with locked_name(vm, wanted.name):
        require_free_name(vm, wanted)
        require_secrets(vm, wanted.secrets)
        prepare_mounts(vm, wanted)
        word, digest = find_image(vm, wanted.image, pull=wanted.pull, seconds=wanted.pull_seconds)
        if wants_gpu(wanted.options):
            require_gpu(vm)
        run = ["run", *wanted.options, word, *wanted.arguments]
        line = event_line(
            name=wanted.name,
            image=wanted.image,
            digest=digest,
            run=run,
            options=wanted.options,
            model=wanted.model.event if wanted.model else None,
        )
        if wanted.model is None:
            return start_measured(vm, wanted, run, line, digest)
        with locked_model(vm, wanted.model, shared=True):
            require_model(vm, wanted.model)
            return start_measured(vm, wanted, run, line, digest)


def require_free_name(vm: Vm, wanted: Wanted) -> None:
    """Refuse a name that runs, unless it is to be replaced."""
    if not is_there(vm, wanted.name) or wanted.replace:
        return
    there = state_of(vm, wanted.name)
    if there["state"] not in ENDED:
        text = f"the workload {wanted.name} is {there['state']} already"
        raise WorkloadError("exists", text)


def prepare_mounts(vm: Vm, wanted: Wanted) -> None:
    """Write the files, make the folder of outputs, and see that every mount's source is there."""
    sources = [mount.split(":")[0] for mount in mounts_of(wanted.options)]
    on_disk = any(one == FOLDER or one.startswith(f"{FOLDER}/") for one in sources)
    if on_disk or wanted.model or wanted.owner is not None:
        require_storage(vm, os_disk=wanted.os_disk)
    for name, text in wanted.files:
        keep_file(vm, name, text.encode())
    if wanted.owner is not None:
        folder = make_folder(vm, "outputs", wanted.name)
        folder.chmod(0o700)
        os.chown(folder, wanted.owner, -1)
    for source in sources:
        if not vm.below_root(source).exists():
            code = "secret.absent" if source.startswith(f"/{RUN}/secrets/") else "mount.absent"
            raise WorkloadError(code, f"{source} does not exist in the VM")


def keep_file(vm: Vm, name: str, data: bytes) -> None:
    """Write a file of ours; its path has the SHA-256 of its content, so that an event tells it."""
    folder = run_folder(vm)
    for part in (FILES, hashlib.sha256(data).hexdigest()):
        folder /= part
        folder.mkdir(mode=0o755, exist_ok=True)
    new = folder / f".{name}"
    new.write_bytes(data)
    new.chmod(0o644)
    new.replace(folder / name)


def start_measured(
    vm: Vm, wanted: Wanted, run: list[str], line: bytes, digest: str
) -> dict[str, Any]:
    """Measure, then start, and see that it runs or has ended by itself."""
    if is_there(vm, wanted.name):
        stop_workload(vm, wanted.name)
    value = measure(vm, line)
    started_at = time.time()
    told = {"image": wanted.image, "image_digest": digest, "started_at": started_at}
    text = render_unit(wanted.name, vm.program(ENGINE), run, wanted.restarts, told)
    write_unit(vm, wanted.name, text)
    progress("start")
    try:
        unit, limit = unit_of(wanted.name), vm.limits["start"]
        systemctl(vm, "start", unit, code="start.failed", seconds=limit)
        there = wait_for_container(vm, wanted.name)
    except WorkloadError:
        stop_workload(vm, wanted.name)
        raise
    return {
        **{key: there[key] for key in ("name", "state", "exit_code", "since")},
        "started_at": started_at,
        "image_digest": digest,
        "run": run,
        "event": line.decode("ascii"),
        "pcr13": value.hex(),
    }


def wait_for_container(vm: Vm, name: str) -> dict[str, Any]:
    """The workload, once its container runs, or ran and has ended."""
    end = time.monotonic() + vm.limits["run"]
    while True:
        there = state_of(vm, name)
        if there["last_exit_code"] in ENGINE_FAILED and there["state"] != "running":
            said = last_words(vm, name)
            raise WorkloadError("start.failed", f"the container was not started: {said}")
        if there["state"] in (*ENDED, "restarting"):
            return there
        if there["state"] == "running" and is_running(vm, name):
            return there
        if time.monotonic() > end:
            seconds = vm.limits["run"]
            message = f"the container does not run {seconds:g} seconds after its start"
            raise WorkloadError("start.failed", message)
        time.sleep(vm.limits["pause"])


def is_running(vm: Vm, name: str) -> bool:
    """Whether the engine says that the container runs."""
    words = ("container", "inspect", "--format", "{{.State.Running}}", f"ccgpu-{name}")
    done = engine(vm, *words)
    return bool(done.returncode == 0 and done.stdout.strip() == b"true")
