"""`ccgpu create`: a list of idempotent stages, carried out in order.

The journal is locked during the whole create, so a second create on the same machine waits, and
then finds nothing to do. The end of a stage is journalled before the next stage begins. So an
interrupted create continues with the first stage that has not ended. Once a resource is begun, no
stage counts as ended (`Journal.begin`).
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
from ccgpu.errors import (
    CcgpuError,
    GuestNotReady,
    HostKeyMismatch,
    Leftover,
    TimedOut,
    UsageProblem,
)
from ccgpu.scheduling.clock import rfc3339
from ccgpu.store.journals import JournalFile
from ccgpu.workflows.create.attested import attest_created
from ccgpu.workflows.create.boot import boot
from ccgpu.workflows.create.context import (
    Approve,
    CreateContext,
    CreateOptions,
    CreateOutcome,
    CreateRequest,
)
from ccgpu.workflows.create.existing_group import with_existing_group
from ccgpu.workflows.create.failure import (
    possible_resources,
    rollback_and_raise,
    run_resources,
)
from ccgpu.workflows.create.provision import provision
from ccgpu.workflows.create.released import release_created
from ccgpu.workflows.create.set_up import STAGE as SET_UP
from ccgpu.workflows.create.set_up import set_up
from ccgpu.workflows.discovery.leftovers import (
    converting_interrupt,
    recall_leftovers,
    reporting_leftovers,
)
from ccgpu.workflows.discovery.snapshot import possible_ids
from ccgpu.workflows.journal_lock import lock_journal
from ccgpu.workflows.journal_writer import JournalWriter


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of a create. `carry_out` is idempotent: it can be interrupted and repeated.

    checks_azure: it compares with what is there now, so every create carries it out. Any other
    stage is carried out unless the journal records its end. undoes: what this run created is rolled
    back if the guest fails in this stage.
    """

    name: str
    carry_out: Callable[[CreateContext], CreateContext]
    checks_azure: bool = False
    undoes: bool = True


# In order. With `--no-wait` only the first is carried out, and its end is not journalled.
STAGES = (
    Stage("provision", provision, checks_azure=True),
    Stage("boot", boot, checks_azure=True),
    Stage(SET_UP, set_up),
    Stage("attest", attest_created, checks_azure=True, undoes=False),
    Stage("release", release_created, checks_azure=True, undoes=False),
)


def create(
    cloud: AzureContext,
    spec: VmSpec,
    options: CreateOptions,
    listen: Listener = ignore_event,
    approve: Approve = lambda _: None,
    stages: Sequence[Stage] = STAGES,
) -> CreateOutcome:
    """Create the deployment, or update it to the spec; returns the plan that was carried out.

    The error of a stage that undoes nothing is not raised: it is the outcome's `problem`.

    1. Find the deployment's group, if the spec names none.
    2. Lock and open the journal.
    3. Carry out the stages.

    An interrupt reports the leftovers from memory. Any other error reports them by reading the
    possible ids before the journal is open, and the journal's ids after it.
    """
    run = Run.begin(cloud, options.time_limit, listen)
    writers: list[JournalWriter] = []

    def recall() -> tuple[Leftover, ...]:
        names = Names(cloud.subscription, spec.group, spec.name)
        return recall_leftovers(run, names, writers[-1] if writers else None)

    hint = f"`ccgpu create {spec.name}` continues, `ccgpu delete {spec.name}` deletes it"
    locked = lock_journal(run, spec.name)
    with converting_interrupt(f"{spec.name} is not complete", hint, recall):
        spec = with_existing_group(run, spec, options.given)
        request = CreateRequest(run, spec, options)
        possible = partial(possible_ids, request.names)
        with reporting_leftovers(run, possible, spec.name), locked as file:
            writer = _open_journal(file, cloud, request.names, stages)
            writers.append(writer)
            ids = partial(possible_resources, writer, request.names)
            new = partial(run_resources, writer)
            reached: list[CreateOutcome] = []
            try:
                with (
                    reporting_leftovers(run, ids, spec.name, new),
                    _remembering_spec(request, writer),
                ):
                    return _carry_out(CreateContext(request, writer, approve), stages, reached)
            except CcgpuError as err:
                if not reached:
                    raise
                return replace(reached[-1], problem=err)


def _carry_out(
    context: CreateContext, stages: Sequence[Stage], reached: list[CreateOutcome]
) -> CreateOutcome:
    """Carry out each stage that has not ended, and journal its end.

    What stands when a stage fails that undoes nothing is added to `reached`.
    """
    waits = context.request.options.wait
    for stage in stages if waits else stages[:1]:
        if stage.checks_azure or stage.name not in context.journal.journal.stages:
            try:
                context = _carry_out_stage(context.in_stage(stage.name), stage)
            except CcgpuError:
                if not stage.undoes:
                    reached.append(context.provisioned)
                raise
            if context.is_open:
                break
            if waits:
                context.journal.end_stage(stage.name)
    return context.provisioned


def _carry_out_stage(context: CreateContext, stage: Stage) -> CreateContext:
    """Carry out one stage. If the guest does not become ready, roll back what this run created.

    If the time is over, nothing is rolled back: the guest goes on without this command.
    """
    try:
        return stage.carry_out(context)
    except TimedOut as err:
        if context.outcome is not None:
            name = context.journal.journal.deployment
            err.hint = err.hint or (
                f"`ccgpu create {name}` continues, `ccgpu delete {name}` deletes it"
            )
        raise
    except (GuestNotReady, HostKeyMismatch) as err:
        if context.outcome is None or not stage.undoes:  # nothing was made, or it stays
            raise
        keep = context.request.options.keep_on_failure
        journal, plan = context.journal, context.outcome.plan
        if journal.journal.of_run() and not keep:
            name = journal.journal.deployment
            err.hint = (
                "`--keep-on-failure` keeps the VM, so that "
                f"`ccgpu logs {name} --serial` and `ccgpu doctor {name}` can look into it"
            )
        rollback_and_raise(context.run, journal, err, plan, keep=keep)


@contextmanager
def _remembering_spec(request: CreateRequest, writer: JournalWriter) -> Iterator[None]:
    """After an interrupt, journal the requested spec even if nothing was created yet."""
    try:
        yield
    except KeyboardInterrupt:
        if not writer.journal.records:
            writer.remember(request.to_remember())
        raise


def _open_journal(
    file: JournalFile, cloud: AzureContext, names: Names, stages: Sequence[Stage]
) -> JournalWriter:
    """The deployment's journal; an unfinished create continues with the same run id.

    Raises:
        UsageProblem: The journal's deployment is in another resource group.
    """
    journal = file.read()
    fresh = Journal(
        names.deployment,
        names.subscription,
        names.group,
        run=secrets.token_hex(8),
        created=rfc3339(cloud.now()),
    )
    if journal is None or not journal.records:
        return JournalWriter(file, fresh)
    if journal.group.casefold() != names.group.casefold():
        raise UsageProblem(
            f"{names.deployment} already exists in the resource group {journal.group}",
            hint=f"give `--resource-group {journal.group}`, or choose another name",
        )
    if journal.next_stage([stage.name for stage in stages]) is None:
        journal = replace(journal, run=fresh.run, created=fresh.created)
    return JournalWriter(file, journal)
