"""`ccgpu create`: a journalled list of idempotent stages, each carried out when its turn comes.

The journal is locked for the whole of it, so that on one machine a second create waits and then
finds nothing to do. A stage that has ended is in the journal before the next one begins: an
interrupted create goes on at the first stage that is not. A new resource begins the list anew
(`Journal.begin`).
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from ccgpu.azure.context import AzureContext
from ccgpu.azure.run import Run
from ccgpu.domain.desired import Names
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.journal import Journal
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.errors import Leftover, UsageProblem
from ccgpu.scheduling.clock import rfc3339
from ccgpu.store.journals import JournalFile
from ccgpu.workflows.create.boot import boot
from ccgpu.workflows.create.context import (
    Approve,
    CreateContext,
    CreateOptions,
    CreateOutcome,
    CreateRequest,
)
from ccgpu.workflows.create.existing_group import with_existing_group
from ccgpu.workflows.create.failure import possible_resources, run_resources
from ccgpu.workflows.create.provision import provision
from ccgpu.workflows.discovery.leftovers import (
    converting_interrupt,
    recall_leftovers,
    reporting_leftovers,
)
from ccgpu.workflows.discovery.snapshot import possible_ids
from ccgpu.workflows.journal_writer import JournalWriter


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of a create. `carry_out` is idempotent: it may be cut off and carried out again.

    checks_azure: it looks at Azure itself whether there is anything to do, so every create carries
    it out; any other is carried out only while the journal does not say that it has ended.
    """

    name: str
    carry_out: Callable[[CreateContext], CreateContext]
    checks_azure: bool = False


# In their order. With `--no-wait` only the first is carried out, and it has not ended then.
STAGES = (
    Stage("provision", provision, checks_azure=True),
    Stage("boot", boot, checks_azure=True),
)


def next_stage(journal: Journal | None, stages: Sequence[Stage] = STAGES) -> str | None:
    """The name of the stage that a create would go on with; None if all have ended."""
    ended = () if journal is None else journal.stages
    return next((stage.name for stage in stages if stage.name not in ended), None)


def create(
    cloud: AzureContext,
    spec: VmSpec,
    options: CreateOptions,
    listen: Listener = ignore_event,
    approve: Approve = lambda _: None,
    stages: Sequence[Stage] = STAGES,
) -> CreateOutcome:
    """Bring the deployment into being, or to what the spec now says: the plan that was done."""
    run = Run.begin(cloud, options.timeout, listen)

    def say_waiting() -> None:
        run.tell("note", f"another ccgpu is working on {spec.name}: waiting for it")

    writers: list[JournalWriter] = []

    def known() -> tuple[Leftover, ...]:
        names = Names(cloud.subscription, spec.group, spec.name)
        return recall_leftovers(run, names, writers[-1] if writers else None)

    hint = f"`ccgpu create {spec.name}` continues, `ccgpu delete {spec.name}` deletes it"
    locked = cloud.journals.locked(cloud.subscription, spec.name, say_waiting)
    with converting_interrupt(f"{spec.name} is not complete", hint, known):
        spec = with_existing_group(run, spec, options.given)
        request = CreateRequest(run, spec, options)
        possible = partial(possible_ids, request.names)
        with reporting_leftovers(run, possible, spec.name), locked as file:
            writer = _open_journal(file, cloud, request.names, stages)
            writers.append(writer)
            ids = partial(possible_resources, writer, request.names)
            new = partial(run_resources, writer)
            with reporting_leftovers(run, ids, spec.name, new), _remembering(request, writer):
                return _carry_out(CreateContext(request, writer, approve), stages)


def _carry_out(context: CreateContext, stages: Sequence[Stage]) -> CreateOutcome:
    """Carry out each stage that has not ended, and journal its end."""
    waits = context.request.options.wait
    for stage in stages if waits else stages[:1]:
        if stage.checks_azure or stage.name not in context.journal.journal.stages:
            context = stage.carry_out(context.in_stage(stage.name))
            if waits:
                context.journal.end_stage(stage.name)
    return context.provisioned


@contextmanager
def _remembering(request: CreateRequest, writer: JournalWriter) -> Iterator[None]:
    """Remember what an interrupted create asked for even before anything was created."""
    try:
        yield
    except KeyboardInterrupt:
        if not writer.journal.records:
            writer.remember(request.to_remember())
        raise


def _open_journal(
    file: JournalFile, cloud: AzureContext, names: Names, stages: Sequence[Stage]
) -> JournalWriter:
    """The deployment's journal; a create that did not end goes on as the same run."""
    found = file.read()
    fresh = Journal(
        names.deployment,
        names.subscription,
        names.group,
        run=secrets.token_hex(8),
        created=rfc3339(cloud.now()),
    )
    if found is None or not found.records:
        return JournalWriter(file, fresh)
    if found.group.casefold() != names.group.casefold():
        raise UsageProblem(
            f"{names.deployment} already exists in the resource group {found.group}",
            hint=f"give `--resource-group {found.group}`, or choose another name",
        )
    if next_stage(found, stages) is None:
        found = replace(found, run=fresh.run, created=fresh.created)
    return JournalWriter(file, found)
