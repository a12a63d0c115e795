"""A command waits for another one with the same deployment, but no longer than its time limit."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ccgpu.azure.context import AzureContext
from ccgpu.errors import TimedOut
from ccgpu.scheduling.clock import RealClock
from ccgpu.scheduling.request_threads import RequestThreads
from ccgpu.scheduling.scheduler import Scheduler
from ccgpu.workflows.create.stages import create
from ccgpu.workflows.delete import delete_each
from support.cloud import Machine, create_options, make_spec

LIMIT = 0.05  # seconds; however slow the machine is, the other command has the lock all the time


def _delete(cloud: AzureContext) -> object:
    return delete_each(cloud, ["another", "demo"], timeout=LIMIT)


def _create(cloud: AzureContext) -> object:
    return create(cloud, make_spec(), create_options(timeout=LIMIT))


@pytest.mark.parametrize("command", [_create, _delete])
def test_a_command_that_waits_for_another_ends_in_time(
    machine: Machine, command: Callable[[AzureContext], object]
) -> None:
    cloud = replace(machine.cloud, scheduler=Scheduler(RealClock(), RequestThreads()))
    other = machine.cloud
    with (
        other.journals.locked(other.subscription, "demo", lambda: None),
        pytest.raises(TimedOut, match="waiting for another ccgpu, which is working on demo"),
    ):
        command(cloud)
    assert machine.writes() == []
    machine.create()  # neither lock is held any more
    machine.delete("another")
