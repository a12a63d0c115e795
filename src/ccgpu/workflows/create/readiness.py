"""Wait until the guest is up, as far as Azure can tell: running, and its agent has reported in."""

from functools import partial

from ccgpu.azure.long_running import send_with_retry
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Body, ResourceId, name_of, state_of
from ccgpu.domain.status import AT_REST, State, reported_since, vm_state
from ccgpu.errors import GuestNotReady, NotFound
from ccgpu.net.retry import poll_delay
from ccgpu.scheduling.scheduler import Call, Task

# A guest that has not reported ten minutes after its VM was made will not.
GRACE = 600.0


# States that pass while Azure is still at work; the others hold when it has ended.
_PASSING = (State.CREATING, State.DELETING)


def wait_for(
    run: Run,
    vm: ResourceId,
    wanted: State,
    *,
    grace: float | None = None,
    since: float | None = None,
    known: Body | None = None,
) -> Task[Body | None]:
    """The VM once it is in the state that is wanted, or (grace) `GuestNotReady` after so long.

    `since`: what the agent said before that time of Azure's does not make it ready. `known`: the VM
    as it has just been read.
    """
    began, polls = run.cloud.now(), 0
    doing = f"waiting for {vm} to be {wanted}"
    hint = _show_hint(name_of(vm))
    read = partial(run.cloud.arm.get, Kind.VM, vm, view=True)
    while True:
        body = known if known and not polls else (yield from send_with_retry(run, read, doing))
        if body is None:
            raise NotFound(f"{doing}: there is no such VM", code="ResourceNotFound")
        found = _state_since(body, since)
        resting = state_of(body) in AT_REST
        began = began if resting else run.cloud.now()
        if found is wanted and (resting or wanted in _PASSING):
            return body
        if found is State.FAILED:
            raise GuestNotReady(f"{doing}: the VM is in state Failed", hint=hint)
        if grace is not None and resting and run.cloud.now() - began >= grace:
            raise GuestNotReady(
                f"{doing}: it is still {found} after {grace / 60:.0f} minutes", hint=hint
            )
        run.tell("wait", found, vm, Kind.VM)
        yield Call(lambda: None, run.deadline.require(poll_delay(polls, None), doing))
        polls += 1


def _state_since(vm: Body, since: float | None) -> State:
    found = vm_state(vm)
    old = found is State.READY and since is not None and not reported_since(vm, since)
    return State.BOOTING if old else found


def _show_hint(name: str) -> str:
    more = f"`ccgpu show {name}` shows its state, `ccgpu delete {name}` deletes it"
    return f"the VM exists and is billed: {more}"
