"""Wait for a state of the VM. It is ready when it runs and its VM agent has reported to Azure."""

from functools import partial

from ccgpu.azure.long_running import send_with_retry
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Body, ResourceId, name_of, state_of
from ccgpu.domain.status import AT_REST, State, reported_since, vm_state
from ccgpu.domain.vm_view import has_agent
from ccgpu.errors import GuestNotReady, NotFound, TimedOut
from ccgpu.net.retry import poll_delay
from ccgpu.scheduling.durations import in_words
from ccgpu.scheduling.scheduler import Task

# Seconds after which a VM agent that has not reported is not expected to report any more.
GRACE = 600.0


# States during an operation on the VM. The others count only once the operation has ended.
_TRANSITIONAL = (State.CREATING, State.DELETING)


def wait_for(
    run: Run,
    vm: ResourceId,
    wanted: State,
    *,
    grace: float | None = None,
    since: float | None = None,
    known: Body | None = None,
) -> Task[Body | None]:
    """Wait until the VM is in the state `wanted`; returns its body.

    Args:
        run: The command under way.
        vm: The VM's id.
        wanted: The state to wait for.
        grace: Seconds to wait after the VM's last operation has ended; None: no limit of its own.
        since: Reports of the VM agent before this time, by Azure's clock, do not count.
        known: The VM's body, if it has just been read.

    Raises:
        NotFound: There is no such VM.
        GuestNotReady: The VM has failed, or `grace` has passed.
        TimedOut: The command's time limit has passed.
    """
    began, polls, after = run.cloud.now(), 0, 0.0
    doing = f"waiting for {vm} to be {wanted}"
    hint = _show_hint(name_of(vm))
    read = partial(run.cloud.arm.get, Kind.VM, vm, view=True)
    while True:
        body, known = known or (yield from send_with_retry(run, read, doing, after=after)), None
        if body is None:
            raise NotFound(f"{doing}: there is no such VM", code="ResourceNotFound")
        state = _state_since(body, since)
        is_at_rest = state_of(body) in AT_REST
        began = began if is_at_rest else run.cloud.now()
        if state is wanted and (is_at_rest or wanted in _TRANSITIONAL):
            return body
        if state is State.FAILED:
            raise GuestNotReady(f"{doing}: the VM is in state Failed", hint=hint)
        if grace is not None and is_at_rest and run.cloud.now() - began >= grace:
            raise GuestNotReady(
                f"{name_of(vm)} is not {wanted}: it is still {state} after "
                f"{in_words(grace)} (step boot)",
                hint=f"`ccgpu logs {name_of(vm)} --serial` shows the console; {hint}",
            )
        run.tell("wait", state, vm, Kind.VM)
        try:
            after = run.deadline.pause(poll_delay(polls, None), doing)
        except TimedOut as err:
            if state is State.STOPPED:
                err.hint = f"`ccgpu start {name_of(vm)}` starts it"
            raise
        polls += 1


def _state_since(vm: Body, since: float | None) -> State:
    """The VM's state; a ready one whose agent has not reported after `since` is still booting."""
    state = vm_state(vm)
    reports = state is State.READY and since is not None and has_agent(vm)
    is_old = reports and since is not None and not reported_since(vm, since)
    return State.BOOTING if is_old else state


def _show_hint(name: str) -> str:
    more = f"`ccgpu show {name}` shows its state, `ccgpu delete {name}` deletes it"
    return f"the VM exists and is billed: {more}"
