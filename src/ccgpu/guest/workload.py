"""Workloads in a VM: one script over the channel that starts, checks and stops containers.

The script is made of the modules in `templates/guest/workload`, and of those of the collector that
speak to the TPM. Its input never holds a secret: secrets lie in the VM by then, and are named.
Before a container starts, the script extends PCR 13 with what will run (docs/trust.md).
"""

import json
from dataclasses import asdict
from typing import TypeVar

from ccgpu.domain import plain_text
from ccgpu.errors import UsageProblem, WorkloadFailed
from ccgpu.guest.channel import Completed
from ccgpu.guest.scripts import assemble_script
from ccgpu.guest.workload_answers import WorkloadProgress
from ccgpu.guest.workload_requests import WorkloadRequest

NAME = "ccgpu-workload"
SCHEMA, ERROR_SCHEMA = "ccgpu.workload/1", "ccgpu.workload-error/1"
REQUEST_LIMIT = 100_000  # bytes; Linux takes 131,072 in one argument (MAX_ARG_STRLEN)
ANSWER_LIMIT = 32 * 1024 * 1024  # bytes, what a channel keeps in memory

_AGAIN = "run the same command again"
_RESTART = "restart the VM, and run the workload again"
# What to do about each error that the script knows.
HINTS = {
    "absent": "`ccgpu ps NAME` lists the workloads",
    "bug": "this is a bug in ccgpu: please report it, with the message",
    "busy": _AGAIN,
    "engine.absent": "the spec's `guest.docker` must be on",
    "engine.error": "`ccgpu exec NAME -- sudo docker info` tells what is wrong with Docker",
    "exists": "stop it first, or let the new one replace it",
    "fetch.absent": "look at the model's repository: the commit or the file does not exist",
    "fetch.content": f"{_AGAIN}; if it fails again, the pinned hashes are of other files",
    "fetch.failed": f"{_AGAIN}: what is there already is kept",
    "fetch.redirect": "the hub sends the download to an address without TLS, which is not followed",
    "fetch.refused": "accept the model's licence at the hub, and give its token as a secret",
    "gpu.cdi": "`ccgpu doctor NAME` looks at the GPU and the container toolkit",
    "image.absent": "let the image be pulled, or bring it into the VM first",
    "image.pull": "look at the image's name, and at the VM's way to the registry",
    "log.full": _RESTART,
    "measure.mismatch": _RESTART,
    "model.absent": "fetch the model first",
    "model.changed": "fetch the model again",
    "mount.absent": "copy the inputs into the VM first",
    "outputs.absent": "the workload must have run once, with outputs",
    "secret.absent": "release the secret first; a restart of the VM removes all secrets",
    "start.failed": "`ccgpu logs NAME --workload W` shows what it printed",
    "stop.failed": _AGAIN,
    "storage.error": "look at `df` and `mount` in the VM",
    "storage.plain": "let the spec encrypt the temporary disk (`guest.temp_disk: encrypted`)",
    "storage.space": "remove what is not needed, or choose a larger disk",
    "tpm.absent": "only Azure confidential VMs of AMD SEV-SNP can be attested",
    "tpm.error": f"{_AGAIN}; if that fails, too, restart the VM",
}
# Each imports only those before it.
_OF_COLLECTOR = ("settings", "tpm", "tools", "vtpm")
_OF_WORKLOAD = (
    *("base", "request", "storage", "secrets", "runline", "images", "devices", "units", "journal"),
    *("measure", "models", "hub", "check", "outputs", "stop", "start", "main"),
)
T = TypeVar("T")


def command_line(request: WorkloadRequest) -> list[str]:
    """The command to run in the VM; its input is `script()`.

    Raises:
        UsageProblem: the request is too large for a command line.
    """
    document = {"action": request.action, **asdict(request)}
    text = json.dumps(document, separators=(",", ":"))
    if len(text) > REQUEST_LIMIT:
        raise UsageProblem(
            f"the workload's {request.action} takes {len(text):,} bytes, and a command line holds "
            f"{REQUEST_LIMIT:,}",
            hint="put long scripts into a file among the inputs",
        )
    return ["sudo", "-n", "python3", "-I", "-S", "-", NAME, text]


def script() -> bytes:
    """The script: its modules as text, and what loads them in order."""
    parts = [f"collector.{part}" for part in _OF_COLLECTOR]
    return assemble_script([*parts, *(f"workload.{part}" for part in _OF_WORKLOAD)])


def parse(done: Completed, form: type[T]) -> T:
    """The answer to a request; `form` is the class of the answer.

    Raises:
        WorkloadFailed: it is an error, or no answer of this script.
    """
    return parse_line(done.exit_code, done.stdout, done.stderr, form)


def parse_line(exit_code: int, output: bytes, errors: bytes, form: type[T]) -> T:
    """The answer in the last line of `output`. Of `follow`, that is the stream of errors.

    Raises:
        WorkloadFailed: it is an error, or no answer of this script.
    """
    if len(output) > ANSWER_LIMIT:
        raise _unreadable(f"it has more than {ANSWER_LIMIT} bytes")
    last = output.rstrip(b"\n").rpartition(b"\n")[2]
    try:
        document = json.loads(last)
    except (ValueError, RecursionError) as err:
        said = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
        ended = f"; it ended with exit code {exit_code}" if exit_code else ""
        raise _unreadable("".join([f"{err}{ended}", *(f": {line}" for line in said)])) from err
    if not isinstance(document, dict):
        raise _unreadable("it is not an object")
    if document.get("schema") == ERROR_SCHEMA:
        raise _failure(document)
    if document.get("schema") != SCHEMA:
        raise _unreadable(f"its schema is not {SCHEMA}")
    if exit_code:
        raise _unreadable(f"the script ended with exit code {exit_code}")
    return _validated(last, form)


def parse_progress(line: bytes) -> WorkloadProgress | None:
    """What a line of the script's errors tells of its progress; None if it tells none."""
    if not line.startswith(b'{"progress":'):
        return None
    try:
        return _validated(line, WorkloadProgress)
    except WorkloadFailed:
        return None


def _validated(line: bytes, form: type[T]) -> T:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(form).validate_json(line, strict=True)
    except ValidationError as err:
        first = err.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _unreadable(f"{place}: {first['msg']}") from err


def _failure(document: dict[str, object]) -> WorkloadFailed:
    code, message = (str(document.get(name, "none"))[:1000] for name in ("code", "message"))
    text = plain_text.one_line(f"{message} ({code})")
    return WorkloadFailed(text, reason=code, hint=HINTS.get(code))


def _unreadable(what: str) -> WorkloadFailed:
    text = plain_text.one_line(what[:500])
    return WorkloadFailed(
        f"the answer of the workload's script in the VM cannot be read: {text}", reason="answer"
    )
