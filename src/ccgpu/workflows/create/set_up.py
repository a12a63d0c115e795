"""The third stage of a create: wait until the guest has set itself up and is ready for use."""

from ccgpu.azure.long_running import run_task
from ccgpu.domain.catalog import Kind
from ccgpu.domain.status import State, vm_state
from ccgpu.guest.expectations import expectations_of
from ccgpu.workflows.create.context import CreateContext
from ccgpu.workflows.guest_access import find_guest_to_probe
from ccgpu.workflows.guest_readiness import wait_until_ready

# Seconds in which the serial log shows the host key. cloud-init prints it when it has ended, and
# the log is a few seconds behind.
_KEY_TIMEOUT = 300.0


def set_up(context: CreateContext) -> CreateContext:
    """The third stage of a create. Idempotent: it only looks.

    A VM that cannot be looked at is left open: a later create looks at it.

    Raises:
        GuestNotReady: The guest has not become ready; the message names the step.
        HostKeyMismatch: Another machine answered at the VM's address.
    """
    options, vm = context.request.options.guest, context.provisioned.snapshot.vm
    wanted = None if vm is None else expectations_of(vm)
    if options is None or vm is None or wanted is None:
        return context
    run, names = context.run, context.request.names
    name = names.deployment
    if vm_state(vm) is State.STOPPED:
        return context.left_open()
    if context.request.spec.private and not options.access.by_private_address:
        run.tell(
            "note",
            f"the guest of {name} is not checked, because it has no public address: "
            f"`ccgpu create {name} --jump USER@HOST` or `--reachable` checks it",
        )
        return context.left_open()
    access, keys = options.access, options.keys
    target = find_guest_to_probe(run, names, vm, access, keys, _KEY_TIMEOUT)
    run.tell("begin", f"setting up the guest of {name}", names.vm, Kind.VM, "set up")
    run_task(run, wait_until_ready(run, names.vm, options.channels(target), wanted))
    run.tell("done", f"setting up the guest of {name}", names.vm, Kind.VM, "set up")
    return context
