"""The sweep follows up what a case leaves once: what counts as the same."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, Request
from faults.sweep.aftermath import what_is_left
from faults.sweep.invariants import InvariantChecker
from faults.sweep.scenarios import FOREIGN_ELEMENTS, SPEC
from support.cloud import Machine
from support.prepared import copy_of_machine

_GROUP = "/resourceGroups/ccgpu-demo"
_VM = f"{_GROUP}/providers/Microsoft.Compute/virtualMachines/demo"


@pytest.fixture(scope="session")
def created(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = Machine(FakeArm(), tmp_path_factory.mktemp("created") / "state")
    machine.create(SPEC)
    return machine


def _left(machine: Machine) -> str:
    return what_is_left(machine, InvariantChecker(machine))


def test_drawn_names_and_past_moments_make_no_difference(created: Machine, tmp_path: Path) -> None:
    other = Machine(FakeArm(), tmp_path / "state")
    other.arm.advance(12_345)
    other.create(SPEC)
    assert _left(created) == _left(other)


def _delete_vm(machine: Machine) -> None:
    url = f"https://management.azure.com/subscriptions/{FAKE_SUBSCRIPTION}{_VM}"
    sent = Request("DELETE", f"{url}?api-version=2026-04-01", {"Authorization": "Bearer somebody"})
    assert machine.arm.send(sent).status == 202


def _add_rule(machine: Machine) -> None:
    path, body = next(iter(FOREIGN_ELEMENTS.items()))
    machine.put(path, "2026-03-01", body)


def _edit_journal(machine: Machine) -> None:
    (file,) = machine.state.glob("journals/*/demo.json")
    file.write_text(file.read_text().replace('"done"', '"begun"', 1))


@pytest.mark.parametrize(
    "change",
    [
        _add_rule,
        lambda machine: machine.put(_GROUP, "2025-04-01", {"location": "eastus2", "tags": {}}),
        _delete_vm,
        _edit_journal,
        lambda machine: (machine.state / "journals" / "more").touch(),
    ],
    ids=["rule", "tags", "operation", "journal", "file"],
)
def test_what_a_command_can_see_makes_a_difference(
    created: Machine, tmp_path: Path, change: Callable[[Machine], object]
) -> None:
    machine = copy_of_machine(created, tmp_path)
    assert _left(created) == _left(machine)
    change(machine)
    assert _left(created) != _left(machine)


def test_how_far_an_operation_has_come_makes_a_difference(created: Machine, tmp_path: Path) -> None:
    machine = copy_of_machine(created, tmp_path)
    _delete_vm(machine)
    before = _left(machine)
    machine.arm.advance(1)
    assert before != _left(machine)


def test_an_expected_element_makes_a_difference(created: Machine) -> None:
    assert _left(created) != what_is_left(created, InvariantChecker(created, {}, {"a rule"}))
