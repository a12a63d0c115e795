"""The third stage of a create: wait until the guest has set itself up and is ready for use."""

from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.resource import Body
from ccgpu.domain.status import State, vm_state
from ccgpu.errors import AzureRefused
from ccgpu.guest.channel import GuestTarget
from ccgpu.guest.expectations import expectations_of
from ccgpu.net.retry import poll_delay
from ccgpu.scheduling.scheduler import Call, Task
from ccgpu.workflows.create.context import CreateContext, GuestOptions
from ccgpu.workflows.guest_access import guest_target
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
    target = _target_with_key(run, names, vm, options)
    run.tell("begin", f"setting up the guest of {name}", names.vm, Kind.VM, "set up")
    run_task(run, wait_until_ready(run, names.vm, options.channels(target), wanted))
    run.tell("done", f"setting up the guest of {name}", names.vm, Kind.VM, "set up")
    return context


def _target_with_key(run: Run, names: Names, vm: Body, options: GuestOptions) -> GuestTarget:
    """The VM as a target; without a host key if its serial log does not show one in time.

    Then only the probe may run, and the key that the VM shows is not recorded.
    """
    began, polls = run.cloud.now(), 0
    while True:
        try:
            target = guest_target(run, names, vm, options.access, options.keys)
        except AzureRefused as err:
            run.tell("note", f"the host key of {names.deployment} cannot be read: {err}")
            return guest_target(run, names, vm, options.access, options.keys, serial_log=False)
        if target.host_key is not None or run.cloud.now() - began >= _KEY_TIMEOUT:
            return target
        run.tell("wait", "ssh: the host key is not in the serial log yet", names.vm, Kind.VM)
        run_task(run, _pause(run, poll_delay(polls, None)))
        polls += 1


def _pause(run: Run, seconds: float) -> Task[None]:
    yield Call(lambda: None, run.deadline.require(seconds, "waiting for the host key"))
