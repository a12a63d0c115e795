"""Start, stop, restart a deployment's VM, and wait for one of its states.

Stop means deallocate: a VM that is stopped but not deallocated is billed.
"""

from functools import partial
from typing import Literal

from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import run_task, write_and_wait
from ccgpu.azure.run import Run
from ccgpu.domain import time_limits
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.resource import Body, key, own_group
from ccgpu.domain.status import State, vm_state
from ccgpu.domain.vm_view import power_state, without_instance_view
from ccgpu.errors import GuestNotReady, Leftover, StateUnusable
from ccgpu.workflows.attestation_records import forget_verdict
from ccgpu.workflows.create.placement import locating_capacity_errors
from ccgpu.workflows.create.readiness import GRACE, wait_for
from ccgpu.workflows.create.set_up import end_set_up, reopen_set_up
from ccgpu.workflows.discovery.leftovers import converting_interrupt, recall_leftovers
from ccgpu.workflows.discovery.search import find_names, opened_deployment, require_vm
from ccgpu.workflows.guest_access import GuestOptions, vm_id_of
from ccgpu.workflows.guest_readiness import look_until_ready
from ccgpu.workflows.measured_deployment import forget_key_of_boot

TIMEOUT = time_limits.POWER
Verb = Literal["start", "stop", "restart"]
_ACTIONS = {"start": "start", "stop": "deallocate", "restart": "restart"}
_PARTICIPLES = {"start": "started", "stop": "deallocated", "restart": "restarted"}
_CLOCK_RESOLUTION = 1.0  # seconds, of ARM's `Date` header


def change_power_state(
    cloud: AzureContext,
    verb: Verb,
    name: str,
    group: str | None = None,
    *,
    timeout: float = TIMEOUT,
    listen: Listener = ignore_event,
    guest: GuestOptions | None = None,
) -> None:
    """Start, stop or restart the VM, and wait until it is ready or deallocated.

    guest: how to look into it after a start; None to end when its agent reports.
    """
    run = Run.begin(cloud, timeout, listen)
    names = Names(cloud.subscription, group or own_group(name), name)

    def recall() -> tuple[Leftover, ...]:
        return recall_leftovers(run, names)

    what = f"{name} may not be {_PARTICIPLES[verb]}, or bill as it did before"
    hint = f"`ccgpu {verb} {name}` continues"
    with converting_interrupt(what, hint, recall), opened_deployment(run, name, group) as found:
        names = found.names
        vm = require_vm(run, names)
        if verb == "restart":
            _require_started(names, vm)
        run.tell("begin", f"{verb} {name}", names.vm, Kind.VM, verb)
        _forget_boot(run, verb, names, vm)
        if verb != "stop":
            reopen_set_up(run, names)
        run.observed[key(names.vm)] = without_instance_view(vm)  # its power state will change
        start = partial(cloud.arm.act, names.vm, _ACTIONS[verb])
        with locating_capacity_errors(vm):
            run_task(run, write_and_wait(run, Kind.VM, names.vm, start, f"{verb} of {names.vm}"))
        ready = _wait_until_done(run, names, verb)
        if guest is None or ready is None or verb == "stop":
            pass
        elif look_until_ready(run, names, ready, guest, verb):
            end_set_up(run, names)
    run.tell("done", f"{verb} {name}", names.vm, Kind.VM, verb)


def _require_started(names: Names, vm: Body) -> None:
    """Raise `GuestNotReady` for a VM that Azure would not restart, before anything is forgotten."""
    if vm_state(vm) is State.STOPPED:
        raise GuestNotReady(
            f"the VM of {names.deployment} is {power_state(vm)}: there is nothing to restart",
            hint=f"`ccgpu start {names.deployment}` starts it",
        )


def _forget_boot(run: Run, verb: Verb, names: Names, vm: Body) -> None:
    """Forget what is known of the boot that is about to end.

    A stop goes on if that cannot be written, since a VM that runs is billed. The start after it
    does not: a verdict on an earlier boot would count.
    """
    for forget in (
        partial(forget_verdict, run.cloud, names, vm_id_of(vm)),
        partial(forget_key_of_boot, run.cloud, names, vm),
    ):
        try:
            forget()
        except StateUnusable as err:
            if verb != "stop":
                raise
            run.tell("note", f"{err}; {names.deployment} is stopped all the same")


def _wait_until_done(run: Run, names: Names, verb: Verb) -> Body | None:
    """Wait for the state that the operation leads to; returns the VM's body.

    Reports of the VM agent from before the end of the operation do not count: the guest that sent
    them may have been stopped since.
    """
    wanted = State.STOPPED if verb == "stop" else State.READY
    ended = run.server_clock.time()
    since = None if ended is None else ended - _CLOCK_RESOLUTION
    return run_task(run, wait_for(run, names.vm, wanted, grace=GRACE, since=since))


def wait_for_state(
    cloud: AzureContext,
    name: str,
    wanted: State,
    group: str | None = None,
    *,
    timeout: float = TIMEOUT,
    listen: Listener = ignore_event,
) -> None:
    """Wait until the VM is in the state `wanted`; raises `TimedOut` after `timeout` seconds."""
    run = Run.begin(cloud, timeout, listen)
    with converting_interrupt(
        f"{name} is not known to be {wanted}", f"`ccgpu wait {name} --for {wanted}` continues"
    ):
        run_task(run, wait_for(run, find_names(run, name, group).vm, wanted))
