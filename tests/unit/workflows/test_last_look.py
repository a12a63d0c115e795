"""The last look before the limit: what ends shortly before it is not lost."""

import pytest

from ccgpu.azure.long_running import run_task, wait_until_settled
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.desired import Names
from ccgpu.errors import TimedOut
from ccgpu.fakearm import FAKE_SUBSCRIPTION, Request, Response
from support.cloud import Machine

_PATH = "/resourceGroups/ccgpu-demo"
_GROUP = Names(FAKE_SUBSCRIPTION, "ccgpu-demo", "demo").of(Kind.GROUP)
_LIMIT = 300.0  # seconds


def _wait(machine: Machine, ready: float) -> float:
    """Wait for a resource that is ready after so many seconds; returns when that was seen."""
    machine.put(_PATH, API_VERSIONS[Kind.GROUP], {"location": "eastus2"})
    body = machine.get(_PATH, API_VERSIONS[Kind.GROUP])
    body["properties"]["provisioningState"] = "Creating"
    began = machine.arm.now()

    def not_ready_yet(request: Request) -> Response | None:
        is_read = request.method == "GET" and request.path.casefold() == _GROUP.casefold()
        return Response(200, body) if is_read and machine.arm.now() - began < ready else None

    machine.arm.faults.append(not_ready_yet)
    run = Run.begin(machine.cloud, _LIMIT)
    run_task(run, wait_until_settled(run, Kind.GROUP, _GROUP, "waiting for it", expected=True))
    return machine.arm.now() - began


@pytest.mark.parametrize("ready", [289.0, 295.0])
def test_what_ends_until_shortly_before_the_limit_is_seen(machine: Machine, ready: float) -> None:
    assert ready <= _wait(machine, ready) <= _LIMIT


def test_what_ends_later_is_given_up_within_the_limit(machine: Machine) -> None:
    with pytest.raises(TimedOut, match="waiting for it: not done within 5 minutes"):
        _wait(machine, 296.0)
