"""The third stage of a create: wait until the guest has set itself up and is ready for use."""

from collections.abc import Callable
from dataclasses import replace

from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.journal import Journal
from ccgpu.domain.resource import key, kind_of
from ccgpu.domain.status import State, vm_state
from ccgpu.workflows.create.context import CreateContext
from ccgpu.workflows.guest_readiness import look_until_ready
from ccgpu.workflows.journal_lock import lock_journal

STAGE = "set up"


def set_up(context: CreateContext) -> CreateContext:
    """The third stage of a create. Idempotent: it only looks.

    A VM that cannot be looked at is left open: a later create looks at it.

    Raises:
        GuestNotReady: The guest has not become ready; the message names the step.
        HostKeyMismatch: Another machine answered at the VM's address.
    """
    options, vm = context.request.options.guest, context.provisioned.snapshot.vm
    if options is None or vm is None:
        return context
    if vm_state(vm) is State.STOPPED:
        return context.left_open()
    run, names = context.run, context.request.names
    if not look_until_ready(run, names, vm, options, "create"):
        return context.left_open()
    run.tell("done", "set up", names.vm, Kind.VM, "set up")
    addresses = [id_ for id_ in run.observed if kind_of(id_) is Kind.PUBLIC_IP]
    outcome = context.provisioned
    snapshot = outcome.snapshot.after_reading(run, addresses)
    return replace(context, outcome=replace(outcome, snapshot=snapshot))


def reopen_set_up(run: Run, names: Names) -> None:
    """Journal that a create has to look into the guest again: its boot is about to end."""
    _change_journal(run, names, lambda journal: journal.reopen_stage(STAGE))


def end_set_up(run: Run, names: Names) -> None:
    """Journal that the guest was found ready in its present boot."""
    _change_journal(run, names, lambda journal: journal.end_stage(STAGE))


def _change_journal(run: Run, names: Names, change: Callable[[Journal], Journal]) -> None:
    """Change the deployment's journal, if this machine has one of a create that came so far."""
    cloud, deployment = run.cloud, names.deployment
    if cloud.journals.peek(cloud.subscription, deployment) is None:
        return
    with lock_journal(run, deployment) as file:
        journal = file.read()
        if journal is None or key(journal.group) not in ("", key(names.group)):
            return
        if journal.stages:
            file.write(change(journal))
