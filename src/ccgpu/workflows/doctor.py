"""`ccgpu doctor NAME`: look at everything in the guest, and mend what is safe to mend."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.status import State, vm_state
from ccgpu.errors import ConnectionLost, GuestNotReady
from ccgpu.guest.channel import Channel, OpenChannel
from ccgpu.guest.diagnosis import Diagnosis, Fix, diagnose, fixes_for
from ccgpu.guest.expectations import expectations_of
from ccgpu.guest.readiness import GuestExpectations, GuestState
from ccgpu.scheduling.scheduler import Call, Task
from ccgpu.workflows.discovery.search import find_names, require_vm
from ccgpu.workflows.guest_access import WantedGuest, find_guest_to_probe
from ccgpu.workflows.guest_readiness import wait_while_working

TIMEOUT = 3600.0
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
        GuestNotReady: The VM does not run, or does not answer.
        HostKeyMismatch: Another machine answered.
    """
    run = Run.begin(cloud, wanted.timeout, listen)
    names = find_names(run, wanted.name, wanted.group)
    with _opened(run, names, channels, wanted) as (channel, expected):
        found = _look(run, names, channel, expected)
        if announce is None or not found.fixes:
            return found
        announce(found.fixes)
        for fix in found.fixes:
            _apply(run, names, channel, fix)
        after = _look(run, names, channel, expected)
    return Diagnosis(after.name, after.checks, after.fixes, found.fixes)


@contextmanager
def _opened(
    run: Run, names: Names, channels: OpenChannel, wanted: WantedGuest
) -> Iterator[tuple[Channel, GuestExpectations]]:
    vm = require_vm(run, names)
    if vm_state(vm) is State.STOPPED:
        raise GuestNotReady(
            f"{names.deployment} is stopped", hint=f"`ccgpu start {names.deployment}` starts it"
        )
    expected = expectations_of(vm) or GuestExpectations(set_up=False, temp_disk_encrypted=False)
    target = find_guest_to_probe(run, names, vm, wanted.access, wanted.keys)
    with channels(target) as channel:
        yield channel, expected


def _look(run: Run, names: Names, channel: Channel, expected: GuestExpectations) -> Diagnosis:
    report = run_task(run, wait_while_working(run, names.vm, channel, expected))
    checks = diagnose(report, expected)
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
        done = yield Call(partial(channel.run, argv, timeout=_FIX_TIMEOUT))
    except ConnectionLost:
        run.tell("note", f"the connection ended during {command[0]}: the VM may be restarting")
        return
    if done.exit_code != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        run.tell("note", f"{command[0]} failed (exit {done.exit_code}): {lines[-1]}")


def require_good(found: Diagnosis) -> None:
    """Raise `GuestNotReady` if a check has failed; it names the steps."""
    failed = [one.step for one in found.checks if one.state is GuestState.FAILED]
    if failed:
        hint = f"`ccgpu doctor {found.name} --fix` mends what is safe" if found.fixes else None
        raise GuestNotReady(f"{found.name} is not in order: {', '.join(failed)}", hint=hint)
