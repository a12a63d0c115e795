"""The third stage of a create: wait until the guest has set itself up and is ready for use."""

from dataclasses import replace

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import kind_of
from ccgpu.domain.status import State, vm_state
from ccgpu.workflows.create.context import CreateContext
from ccgpu.workflows.guest_readiness import look_until_ready


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
