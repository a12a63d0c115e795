"""`ccgpu doctor NAME`: look at everything in the guest, and mend what is safe to mend."""

from collections.abc import Callable, Sequence
from functools import partial

from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.domain import time_limits
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.guest_tag import installed_driver
from ccgpu.domain.resource import Body
from ccgpu.domain.status import State, vm_state
from ccgpu.errors import ConnectionLost, GuestNotReady, GuestUnreachable, UsageProblem
from ccgpu.guest.channel import Channel, OpenChannel
from ccgpu.guest.diagnosis import (
    Diagnosis,
    Fix,
    check_extensions,
    check_manifest,
    diagnose,
    fixes_for,
)
from ccgpu.guest.expectations import expectations_of
from ccgpu.guest.readiness import GuestExpectations, GuestState
from ccgpu.scheduling.scheduler import Task
from ccgpu.workflows.create.first_boot import driver_warnings
from ccgpu.workflows.discovery.search import find_names, require_vm
from ccgpu.workflows.guest_access import WantedGuest, find_guest_to_probe
from ccgpu.workflows.guest_readiness import wait_while_working
from ccgpu.workflows.measured_deployment import is_measured

TIMEOUT = time_limits.DOCTOR
_FIX_TIMEOUT = 2400.0  # seconds for one command of a fix: a set-up can take half an hour

# Told before anything is changed: the fixes, in order.
Announce = Callable[[Sequence[Fix]], None]


def examine(
    cloud: AzureContext,
    channels: OpenChannel,
    wanted: WantedGuest,
    *,
    announce: Announce | None = None,
    listen: Listener = ignore_event,
) -> Diagnosis:
    """Look at the guest; with `announce`, mend what is safe, and look again.

    Raises:
        GuestNotReady: The VM does not run, or does not answer; or there is something to mend, and
            its host key is not known.
        HostKeyMismatch: Another machine answered.
        UsageProblem: The VM boots a measured image, which has no set-up.
    """
    run = Run.begin(cloud, wanted.timeout, listen)
    names = find_names(run, wanted.name, wanted.group)
    vm = _require_running(run, names)
    if is_measured(cloud, names, vm):
        raise _not_set_up(names.deployment)
    target = find_guest_to_probe(run, names, vm, wanted.access, wanted.keys)
    with channels(target) as channel:
        found = _look(run, names, channel, vm)
        if announce is None or not found.fixes:
            return found
        if target.host_key is None:
            raise _unknown_machine(names.deployment)
        announce(found.fixes)
        for fix in found.fixes:
            _apply(run, names, channel, fix)
        after = _look(run, names, channel, vm)
    return Diagnosis(after.name, after.checks, after.fixes, found.fixes)


def _unknown_machine(name: str) -> GuestUnreachable:
    return GuestUnreachable(
        f"nothing is mended: the host key of {name} is not known, so another machine could answer "
        "in its place",
        hint=f"`ccgpu doctor {name}` only looks; `ccgpu logs {name} --serial` shows whether it "
        "has been printed at the VM's console",
    )


def _not_set_up(name: str) -> UsageProblem:
    return UsageProblem(
        f"{name} boots a measured image: nothing was set up in it, and nothing can be mended",
        hint=f"`ccgpu attest {name}` says whether it runs what it should",
    )


def _require_running(run: Run, names: Names) -> Body:
    """The VM's body; raises `GuestNotReady` if there is nobody in it yet who could answer."""
    vm, name = require_vm(run, names), names.deployment
    state = vm_state(vm)
    if state is State.STOPPED:
        raise GuestNotReady(f"{name} is stopped", hint=f"`ccgpu start {name}` starts it")
    if state is State.CREATING:
        hint = f"`ccgpu create {name}` waits for it"
        raise GuestNotReady(f"{name} is still being created", hint=hint)
    return vm


def _look(run: Run, names: Names, channel: Channel, vm: Body) -> Diagnosis:
    expected = expectations_of(vm) or GuestExpectations(set_up=False, temp_disk_encrypted=False)
    report = run_task(run, wait_while_working(run, names.vm, channel, expected))
    driver = report.module or installed_driver(vm)
    checks = [
        *diagnose(report, expected),
        check_manifest(driver_warnings(driver, run.server_clock.time() or run.cloud.now())),
        check_extensions(vm),
    ]
    return Diagnosis(names.deployment, tuple(checks), tuple(fixes_for(report, checks)))


def _apply(run: Run, names: Names, channel: Channel, fix: Fix) -> None:
    """Run the commands of a fix. One that fails is told; the checks after it decide."""
    run.tell("begin", fix.what, names.vm, Kind.VM, "fix")
    for command in fix.commands:
        run_task(run, _run_as_root(run, channel, command))
    run.tell("done", fix.what, names.vm, Kind.VM, "fix")


def _run_as_root(run: Run, channel: Channel, command: Sequence[str]) -> Task[None]:
    argv = ["sudo", "-n", *command]
    try:
        done = yield run.call(partial(channel.run, argv, timeout=_FIX_TIMEOUT), command[0])
    except ConnectionLost:
        run.tell("note", f"the connection ended during {command[0]}: the VM may be restarting")
        return
    if done.exit_code != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        run.tell("note", f"{command[0]} failed (exit {done.exit_code}): {lines[-1]}")


def require_good(found: Diagnosis) -> None:
    """Raise `GuestNotReady` if a check has failed; it names the steps."""
    failed = dict.fromkeys(one.step for one in found.checks if one.state is GuestState.FAILED)
    if failed:
        untried = set(found.fixes) - set(found.applied)
        hint = f"`ccgpu doctor {found.name} --fix` mends what is safe" if untried else None
        raise GuestNotReady(f"{found.name} is not in order: {', '.join(failed)}", hint=hint)
