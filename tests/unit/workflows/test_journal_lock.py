"""A command waits for another one with the same deployment, but no longer than its time limit."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from threading import Timer

import pytest

from ccgpu.azure.context import AzureContext
from ccgpu.errors import TimedOut
from ccgpu.scheduling.clock import RealClock
from ccgpu.scheduling.request_threads import RequestThreads
from ccgpu.scheduling.scheduler import Scheduler
from ccgpu.workflows.create.stages import create
from ccgpu.workflows.delete import delete_each
from support.cloud import Machine, create_options, make_spec

LIMIT = 0.05  # seconds
# Seconds until the other command ends after all: one that would wait for it for ever then goes on
# to its end, and the test fails instead of hanging. Only a test that fails takes as long.
OTHER_ENDS = 5.0


def _delete(cloud: AzureContext) -> object:
    return delete_each(cloud, ["another", "demo"], timeout=LIMIT)


def _create(cloud: AzureContext) -> object:
    return create(cloud, make_spec(), create_options(timeout=LIMIT))


@contextmanager
def _another_command(machine: Machine) -> Iterator[None]:
    """Another command that works on `demo`."""
    cloud = machine.cloud
    with ExitStack() as lock:
        lock.enter_context(cloud.journals.locked(cloud.subscription, "demo", lambda: None))
        end = Timer(OTHER_ENDS, lock.close)
        end.start()
        try:
            yield
        finally:
            end.cancel()


@pytest.mark.parametrize("command", [_create, _delete])
def test_a_command_that_waits_for_another_ends_in_time(
    machine: Machine, command: Callable[[AzureContext], object]
) -> None:
    cloud = replace(machine.cloud, scheduler=Scheduler(RealClock(), RequestThreads()))
    with (
        _another_command(machine),
        pytest.raises(TimedOut, match="waiting for another ccgpu, which is working on demo"),
    ):
        command(cloud)
    assert machine.writes() == []
    machine.create()  # neither lock is held any more
    machine.delete("another")
