"""Start, stop, restart, wait: the VM of a deployment from one state into another.

Stop means deallocate: a VM that is only stopped goes on billing.
"""

from functools import partial
from typing import Literal

from ccgpu.domain.catalog import Kind
from ccgpu.domain.events import Listener, ignored
from ccgpu.domain.status import State
from ccgpu.workflows.cloud import Cloud
from ccgpu.workflows.locate import names_of, opened, vm_of
from ccgpu.workflows.readiness import GRACE, wait_for
from ccgpu.workflows.requests import Run, complete, written

TIMEOUT = 1800.0
Verb = Literal["start", "stop", "restart"]
_ACTIONS = {"start": "start", "stop": "deallocate", "restart": "restart"}


def act(
    cloud: Cloud,
    verb: Verb,
    name: str,
    group: str | None = None,
    *,
    timeout: float = TIMEOUT,
    listen: Listener = ignored,
) -> None:
    """Do it, and wait until the VM is ready, or deallocated."""
    run = Run(cloud, cloud.now() + timeout, listen)
    with opened(run, name, group) as names:
        vm_of(run, names)
        run.tell("begin", f"{verb} {name}", names.vm, Kind.VM, verb)
        start = partial(cloud.arm.act, names.vm, _ACTIONS[verb])
        complete(run, written(run, Kind.VM, names.vm, start, f"{verb} of {names.vm}"))
        wanted = State.STOPPED if verb == "stop" else State.READY
        complete(run, wait_for(run, names.vm, wanted, grace=GRACE))
    run.tell("done", f"{verb} {name}", names.vm, Kind.VM, verb)


def wait(
    cloud: Cloud,
    name: str,
    wanted: State,
    group: str | None = None,
    *,
    timeout: float = TIMEOUT,
    listen: Listener = ignored,
) -> None:
    """Wait until the deployment is in that state; `TimedOut` if it does not get there."""
    run = Run(cloud, cloud.now() + timeout, listen)
    names = names_of(run, name, group)
    complete(run, wait_for(run, names.vm, wanted))
