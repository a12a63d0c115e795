"""Waiting for the guest: steps are told, failures end it and name their step."""

from typing import Any

import pytest

from ccgpu.azure.run import Run
from ccgpu.domain.desired import Names
from ccgpu.errors import (
    CcgpuError,
    ConnectionLost,
    GuestNotReady,
    GuestUnreachable,
    HostKeyMismatch,
    TimedOut,
)
from ccgpu.guest.channel import Completed
from ccgpu.guest.probe import SETUP
from ccgpu.guest.readiness import GuestExpectations
from ccgpu.workflows.guest_readiness import (
    SETTLE_TIME,
    SETUP_TIMEOUT,
    UNREACHABLE_TIMEOUT,
    wait_until_ready,
)
from support.channels import ScriptedChannel
from support.cloud import Machine
from support.guest_answers import answer, setup_file

VM = Names("s", "g", "demo").vm
NOT_UP = GuestUnreachable("connection refused", transient=True)
WORKING = answer(files={SETUP: setup_file("running", "driver", driver="running")})
SKEW = answer({"gpus": (18, "Failed to initialize NVML: Driver/Library version mismatch")})


def wait(machine: Machine, *answers, timeout=36000.0):
    """The told events, the seconds that passed, and the report or the error."""
    told = []
    run = Run.begin(machine.cloud, timeout, lambda event: told.append(event.text))
    channel = ScriptedChannel(answers)
    task = wait_until_ready(run, VM, channel.opened(), GuestExpectations())
    began = machine.cloud.now()
    end: Any
    try:
        end = machine.cloud.scheduler.complete(task)
    except CcgpuError as err:
        end = err
    return told, machine.cloud.now() - began, end


def test_it_waits_through_boot_and_setup_and_tells_each_step(machine: Machine) -> None:
    told, _, report = wait(machine, NOT_UP, NOT_UP, WORKING, WORKING, answer())
    assert report.setup.state == "done"
    assert told == [*["ssh: does not answer yet"] * 2, *["driver: is running"] * 2]


def test_a_failed_setup_ends_at_once_with_step_log_and_remedy(machine: Machine) -> None:
    failed = answer(files={SETUP: setup_file("failed", "driver", driver="failed")})
    _, seconds, err = wait(machine, failed)
    assert isinstance(err, GuestNotReady)
    assert "step driver: failed" in str(err)
    assert "last line" in str(err)
    assert err.hint == "`ccgpu logs demo --setup` shows the log"
    assert seconds == 0


def test_a_check_may_come_right_for_a_while_after_the_setup(machine: Machine) -> None:
    _, _, report = wait(machine, SKEW, SKEW, answer())
    assert report.gpu_error is None
    _, seconds, err = wait(machine, SKEW)
    assert isinstance(err, GuestNotReady)
    assert "Driver/Library version mismatch" in str(err)
    assert SETTLE_TIME <= seconds < 2 * SETTLE_TIME


def test_a_guest_that_never_answers_is_unreachable(machine: Machine) -> None:
    _, seconds, err = wait(machine, NOT_UP)
    assert isinstance(err, GuestUnreachable)
    assert "step ssh" in str(err)
    assert UNREACHABLE_TIMEOUT <= seconds < 2 * UNREACHABLE_TIMEOUT


@pytest.mark.parametrize("passing", [ConnectionLost("lost"), TimedOut("slow"), NOT_UP])
def test_a_reboot_in_between_is_waited_for(machine: Machine, passing: Exception) -> None:
    _, _, report = wait(machine, WORKING, passing, WORKING, passing, answer())
    assert report.setup.state == "done"


def test_a_setup_that_never_ends_is_not_ready(machine: Machine) -> None:
    _, seconds, err = wait(machine, WORKING)
    assert type(err) is GuestNotReady
    assert "driver: is running" in str(err)
    assert SETUP_TIMEOUT <= seconds < SETUP_TIMEOUT + 120


@pytest.mark.parametrize(
    "final",
    [GuestUnreachable("Permission denied (publickey)"), HostKeyMismatch("another key")],
)
def test_what_no_waiting_cures_ends_at_once(machine: Machine, final: Exception) -> None:
    _, seconds, err = wait(machine, NOT_UP, final)
    assert err is final
    assert seconds < 60


def test_the_commands_time_limit_counts(machine: Machine) -> None:
    _, seconds, err = wait(machine, WORKING, timeout=300.0)
    assert isinstance(err, TimedOut)
    assert "driver" in str(err)
    assert seconds <= 300


def test_a_probe_that_does_not_run_is_an_error_after_a_while(machine: Machine) -> None:
    refused = Completed(1, b"", b"sudo: a password is required\n")
    _, seconds, err = wait(machine, refused)
    assert isinstance(err, GuestNotReady)
    assert "a password is required" in str(err)
    assert SETTLE_TIME <= seconds < 2 * SETTLE_TIME
    _, _, report = wait(machine, refused, answer())
    assert report.setup.state == "done"
