"""The deletion at the end of a run: interrupts, failures, and what they hide."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ccgpu.domain.run_outcome import RunOutcome
from ccgpu.errors import (
    EvidenceRejected,
    Interrupted,
    LeftBehind,
    NotSignedIn,
    UsageProblem,
)
from ccgpu.fakearm import FakeArm, Request, Response, scenarios
from ccgpu.workflows.run.ending import delete_after
from ccgpu.workflows.run.one_shot import create_and_run, delete_unless_refused
from support.cloud import Machine

REJECTED = RunOutcome("demo", problem=EvidenceRejected("rejected"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with a deployment."""
    made = Machine(FakeArm(), tmp_path / "state")
    made.create()
    return made


def _fail(machine: Machine, *errors: BaseException | None) -> None:
    """Each DELETE of a VM that is sent fails with the next of these."""
    left = [*errors]

    def fault(request: Request) -> Response | None:
        is_delete = request.method == "DELETE" and "virtualMachines" in request.url
        error = left.pop(0) if is_delete and left else None
        if error is not None:
            raise error
        return None

    machine.arm.faults.append(fault)


def _delete(machine: Machine, outcome: RunOutcome = REJECTED) -> tuple[RunOutcome, int, list[str]]:
    calls: list[None] = []
    told: list[str] = []
    ended = delete_after(
        machine.cloud,
        outcome,
        None,
        lambda event: told.append(event.text),
        lambda: calls.append(None),
    )
    return ended, len(calls), told


@pytest.mark.slow
def test_what_went_wrong_before_stays_the_problem(machine):
    ended, _, _ = _delete(machine)
    assert (ended.deleted, ended.problem) == (True, REJECTED.problem)
    assert machine.ids() == set()


@pytest.mark.slow
def test_a_first_interrupt_does_not_end_the_deletion(machine):
    _fail(machine, KeyboardInterrupt())
    ended, calls, told = _delete(machine)
    assert (ended.deleted, calls) == (True, 2)
    assert "interrupted: the deletion goes on; interrupt again to stop it" in told
    assert machine.ids() == set()


def test_a_second_interrupt_does(machine):
    _fail(machine, KeyboardInterrupt(), KeyboardInterrupt())
    ended, _, _ = _delete(machine)
    assert ended.deleted is False
    assert isinstance(ended.problem, Interrupted)
    assert "before that: rejected" in str(ended.problem)
    assert ended.problem.resources


def test_a_deletion_that_fails_outranks_what_was_before(machine):
    scenarios.apply(machine.arm, "locked")
    ended, _, _ = _delete(machine)
    assert isinstance(ended.problem, LeftBehind)
    assert ended.problem.exit_code in (4, 7)
    assert "before that: rejected" in str(ended.problem)


def _run(result: RunOutcome | BaseException | None = None) -> Callable[[], RunOutcome]:
    def run() -> RunOutcome:
        if isinstance(result, BaseException):
            raise result
        assert result is not None, "it must not run"
        return result

    return run


_TROUBLES = pytest.mark.parametrize(
    ("error", "code"),
    [(NotSignedIn("no token", code="x"), 4), (KeyboardInterrupt(), 130), (ZeroDivisionError(), 1)],
)


@_TROUBLES
def test_a_run_that_does_not_begin_is_an_outcome_so_that_the_vm_is_deleted(error, code):
    made = SimpleNamespace(problem=None)
    created: Any = lambda: made  # noqa: E731  # a create that stands
    outcome = create_and_run("demo", None, created, _run(error))  # type: ignore[arg-type]  # no plan
    assert outcome.exit_code == code


@_TROUBLES
def test_a_create_that_fails_runs_nothing(error, code):
    outcome = create_and_run("demo", None, _run(error), _run())  # type: ignore[arg-type]  # neither is used
    assert outcome.exit_code == code
    assert outcome.started is None


def test_nothing_is_deleted_after_a_refusal(machine):
    before = machine.ids()
    refused = RunOutcome("demo", problem=UsageProblem("no"))
    parts = (machine.cloud, refused, "ccgpu-demo", lambda _: None, lambda: None)
    assert delete_unless_refused(*parts) == refused
    assert machine.ids() == before


def test_a_delete_that_fails_where_nothing_was_made_leaves_nothing_to_tell(tmp_path):
    empty = Machine(FakeArm(), tmp_path / "state")
    cloud = empty.cloud
    empty.arm.faults.append(lambda _: Response(401, {"error": {"code": "x", "message": "y"}}))
    first = RunOutcome("demo", problem=NotSignedIn("no token", code="x"))
    ended = delete_unless_refused(cloud, first, "ccgpu-demo", lambda _: None, lambda: None)
    assert ended == first
