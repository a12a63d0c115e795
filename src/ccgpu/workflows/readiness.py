"""Wait until the guest is up, as far as Azure can tell: running, and its agent has reported in."""

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Body, ResourceId
from ccgpu.domain.status import State, state
from ccgpu.errors import GuestNotReady, NotFound
from ccgpu.net.retry import poll_pause
from ccgpu.workflows.requests import Asking, Run, settled
from ccgpu.workflows.schedule import Call

# A guest that has not reported ten minutes after its VM was made will not.
GRACE = 600.0
_HINT = "the VM is there and bills: `ccgpu show` says more, `ccgpu delete` removes it"


def wait_for(
    run: Run, vm: ResourceId, wanted: State, *, grace: float | None = None
) -> Asking[Body | None]:
    """The VM once it is in the state that is wanted, or (grace) `GuestNotReady` after so long."""
    since, polls = run.cloud.now(), 0
    doing = f"waiting for {vm} to be {wanted}"
    while True:
        body = yield from settled(run, Kind.VM, vm, doing, view=True)
        found = state(body)
        if found is wanted:
            return body
        if body is None:
            raise NotFound(f"{doing}: there is no such VM", code="ResourceNotFound")
        if found is State.FAILED:
            raise GuestNotReady(f"{doing}: the VM is in state Failed", hint=_HINT)
        if grace is not None and run.cloud.now() - since >= grace:
            raise GuestNotReady(
                f"{doing}: it is still {found} after {grace / 60:.0f} minutes", hint=_HINT
            )
        run.tell("wait", found, vm, Kind.VM)
        yield Call(lambda: None, run.left(poll_pause(polls, None), doing))
        polls += 1
