"""What a workload needs in the VM before it starts: secrets, inputs, and its model."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ccgpu.domain.workload_record import WorkloadRecord
from ccgpu.errors import ConnectionLost, UsageProblem, WorkloadFailed
from ccgpu.guest.release import list_secrets
from ccgpu.guest.workload_answers import (
    AllWorkloads,
    GuestWorkload,
    ModelFetched,
    OneWorkload,
    WorkloadPrepared,
)
from ccgpu.guest.workload_requests import (
    FetchModel,
    ListWorkloads,
    PrepareWorkload,
    StopWorkload,
)
from ccgpu.scheduling.clock import rfc3339
from ccgpu.store.secret_sources import SecretReader
from ccgpu.workflows.proven import ProvenGuest
from ccgpu.workflows.run.guest_calls import WorkloadGuest
from ccgpu.workflows.run.request import RunRequest

_LIST, _PREPARE = 60.0, 120.0  # seconds
_PROGRAM = 120.0  # seconds in which a program has to print its secret: it may ask the user
_DOWNLOAD = 4 * 3600.0  # seconds, of a model
_TRIES, _PAUSE = 5, 10.0  # downloads that are interrupted: how often, and seconds in between
_MAY_PASS = ("fetch.failed", "busy")


def release_secrets(
    proven: ProvenGuest, request: RunRequest, reader: SecretReader
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Release the secrets that the workload uses and the VM does not have; all in one message.

    Returns the names of those that were released, and of those that were there.

    Raises:
        UsageProblem: This machine does not know where one of them comes from.
        And as `SecretReader.read` and `ProvenGuest.release`.
    """
    wanted = [one.name for one in request.plan.secrets]
    if not wanted:
        return (), ()
    task = proven.task
    seconds = task.time_left(_LIST, "listing secrets")
    there = task.complete(partial(list_secrets, proven.channel, timeout=seconds))
    present = {one.name for one in there}
    missing = [name for name in wanted if name not in present]
    _require_sources(missing, request, task.name)
    if missing:
        sources = [request.sources[name] for name in missing]
        reader.require_readable(sources)
        limit = task.time_left(_PROGRAM, "reading secrets")
        proven.release([reader.read(source, limit) for source in sources])
        task.tell("begin", f"released {', '.join(missing)}")
    return tuple(missing), tuple(name for name in wanted if name in present)


def _require_sources(missing: Sequence[str], request: RunRequest, deployment: str) -> None:
    unknown = [name for name in missing if name not in request.sources]
    if unknown:
        raise UsageProblem(
            f"the VM does not have the secret {', '.join(unknown)}, and the spec does not say "
            "where it comes from",
            hint=f"`ccgpu secret put {deployment} {unknown[0]} --from-file FILE` releases it",
        )


def find_started(
    guest: WorkloadGuest, request: RunRequest, record: WorkloadRecord | None
) -> GuestWorkload | None:
    """The workload, if this machine has started just that in this boot; raises as `ask`.

    record: what this machine remembers of the name.
    """
    if not request.resumes or record is None:
        return None
    if (record.boot_id, record.section) != (guest.boot_id, request.section):
        return None
    found = guest.ask(ListWorkloads(), AllWorkloads, _LIST).workloads
    return next(
        (
            one
            for one in found
            if one.name == record.name and rfc3339(one.started_at) == record.started_at
        ),
        None,
    )


def require_free_name(guest: WorkloadGuest, request: RunRequest) -> None:
    """Refuse a workload that runs already, or stop it if that is wanted.

    It comes first: what is prepared for a new one would be taken from the old one.

    Raises:
        WorkloadFailed: One of that name runs.
    """
    name = request.plan.name
    found = guest.ask(ListWorkloads(), AllWorkloads, _LIST).workloads
    running = [one for one in found if one.name == name and not one.has_ended]
    if not running:
        return
    if not (request.replace or request.resumes):
        raise WorkloadFailed(
            f"the workload {name} runs already",
            reason="exists",
            hint=f"stop it first: `ccgpu run {guest.task.name} --stop {name}`; or give --replace",
        )
    guest.task.tell("begin", f"stopping the {name} that runs")
    guest.ask(StopWorkload(name=name), OneWorkload, request.plan.restart.stop_seconds + _LIST)


def prepare_files(guest: WorkloadGuest, request: RunRequest) -> None:
    """Make the workload's folders in the VM, and copy its inputs there.

    Raises:
        CopyFailed: An input could not be copied.
        ConnectionLost: The connection ended meanwhile; nothing more was copied.
        And as `WorkloadGuest.ask`.
    """
    plan = request.plan
    prepare = PrepareWorkload(name=plan.name, os_disk=request.os_disk)
    if not plan.inputs and plan.outputs is None:
        return
    with guest.channel.keep():  # to the boot that has answered: another one may show the same key
        guest.ask(prepare, WorkloadPrepared, _PREPARE)
        for one in plan.inputs:
            local = Path(one.local)
            guest.task.tell("begin", f"copying {one.local}")
            put = partial(guest.channel.put, local, one.mount.source, recursive=local.is_dir())
            guest.task.complete(put)


def fetch_model(guest: WorkloadGuest, request: RunRequest) -> None:
    """Let the VM download the model, and check each file against its hash.

    A download that was interrupted goes on where it stopped. Raises as `WorkloadGuest.ask`.
    """
    model = request.model
    if model is None:
        return
    fetch = FetchModel(
        repository=model.repository,
        commit=model.commit,
        files=model.files,
        token=request.hub_token,
        os_disk=request.os_disk,
    )
    guest.task.tell("begin", f"fetching {model.repository}")
    for attempt in range(1, _TRIES + 1):
        try:
            guest.ask(fetch, ModelFetched, _DOWNLOAD)
        except (WorkloadFailed, ConnectionLost) as err:
            may_pass = not isinstance(err, WorkloadFailed) or err.reason in _MAY_PASS
            if not may_pass or attempt == _TRIES:
                raise
            guest.task.tell("wait", f"{err}: trying again")
            guest.task.pause(_PAUSE, "fetching the model")
        else:
            return
