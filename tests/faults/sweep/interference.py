"""What other clients do just before one of our requests is carried out.

Azure has no transactions: another client's request may come between any two of ours.
"""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ccgpu.fakearm import FAKE_SUBSCRIPTION, Request, Response
from faults.sweep import scenarios
from faults.sweep.invariants import InvariantChecker, creation_times
from support.cloud import Machine

_GROUP = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/ccgpu-demo"
_VM = f"{_GROUP}/providers/Microsoft.Compute/virtualMachines/demo"
_NSG = f"{_GROUP}/providers/Microsoft.Network/networkSecurityGroups/demo-nsg"
_APIS = {"/Microsoft.Compute/": "2026-04-01", "/Microsoft.Network/": "2026-03-01", "": "2025-04-01"}


@dataclass(frozen=True, slots=True)
class Interference:
    """An action of another client. The last fields are those of a `FaultKind`."""

    name: str
    act: Callable[[Machine, InvariantChecker], None]
    # Whether it is possible now.
    possible: Callable[[Machine], bool]
    scenarios: Collection[str] = tuple(scenarios.SCENARIOS)
    exit_codes: frozenset[int] = frozenset()
    transient: bool = False
    same_as: str = ""


@contextmanager
def _suspend_faults(machine: Machine) -> Iterator[None]:
    """Requests in the block meet no fault and no invariant check."""
    arm = machine.arm
    faults, arm.faults = arm.faults, []
    listener, arm.on_commit = arm.on_commit, None
    try:
        yield
    finally:
        arm.faults, arm.on_commit = faults, listener


def _send(machine: Machine, method: str, path: str, body: object = None) -> Response:
    """ARM's response to another client."""
    api = next(api for part, api in _APIS.items() if part in path)
    headers = {"Authorization": "Bearer somebody"}
    raw = b"" if body is None else json.dumps(body).encode()
    url = f"https://management.azure.com{path}?api-version={api}"
    with _suspend_faults(machine):
        return machine.arm.send(Request(method, url, headers, raw))


def _is_settled(machine: Machine, path: str) -> bool:
    answer = _send(machine, "GET", path)
    return answer.status == 200 and answer.body["properties"]["provisioningState"] == "Succeeded"


def _create_elsewhere(machine: Machine, _: InvariantChecker) -> None:
    """Another machine runs the whole of the same create."""
    with _suspend_faults(machine):
        Machine(machine.arm, machine.state.parent / "other").create(scenarios.SPEC)


def _delete_vm(machine: Machine, _: InvariantChecker) -> None:
    """Somebody deletes the VM in the portal."""
    assert _send(machine, "DELETE", _VM).status == 202
    machine.arm.advance(600)


def _tag_vm(machine: Machine, _: InvariantChecker) -> None:
    """A policy adds a tag to the VM, which changes its ETag."""
    tags = _send(machine, "GET", _VM).body["tags"]
    assert _send(machine, "PATCH", _VM, {"tags": {**tags, "cost-center": "42"}}).status == 200


def _write_element(path: str) -> Callable[[Machine, InvariantChecker], None]:
    """Somebody writes a rule or a subnet into our resource."""

    def write(machine: Machine, checker: InvariantChecker) -> None:
        full = f"/subscriptions/{FAKE_SUBSCRIPTION}{path}"
        assert _send(machine, "PUT", full, scenarios.ADDED_ELEMENTS[path]).status == 201
        machine.arm.advance(60)
        checker.foreign_elements.add(path)

    return write


def _parent_is_settled(path: str) -> Callable[[Machine], bool]:
    """Whether the rule's or subnet's parent exists and is settled."""
    parent = f"/subscriptions/{FAKE_SUBSCRIPTION}{path.rsplit('/', 2)[0]}"
    return lambda machine: _is_settled(machine, parent)


def _take_name(machine: Machine, checker: InvariantChecker) -> None:
    """After our resource was deleted, somebody creates one of the same name."""
    body = {"location": "eastus2", "tags": {"owner": "somebody"}}
    assert _send(machine, "PUT", _NSG, body).status == 201
    machine.arm.advance(60)
    id_ = _NSG.casefold()
    checker.foreign_resources[id_] = creation_times(machine.arm)[id_]


def _name_is_free(machine: Machine) -> bool:
    """Whether our security group is deleted and its resource group is not."""
    return _is_settled(machine, _GROUP) and _send(machine, "GET", _NSG).status == 404


def _vm_is_settled(machine: Machine) -> bool:
    return _is_settled(machine, _VM)


INTERFERENCES = {
    one.name: one
    for one in (
        Interference(
            "other-machine", _create_elsewhere, lambda _: True, ("create",), transient=True
        ),
        Interference("vm-deleted", _delete_vm, _vm_is_settled, exit_codes=frozenset({4})),
        Interference("vm-retagged", _tag_vm, _vm_is_settled, transient=True),
        *(
            Interference(
                name,
                *(_write_element(path), _parent_is_settled(path)),
                *(("create", "delete", "update"),),
                transient=True,
            )
            for name, path in (
                ("rule-added", scenarios.RULE),
                ("subnet-added", scenarios.SUBNET),
            )
        ),
        Interference("name-taken", _take_name, _name_is_free, ("delete",), transient=True),
    )
}
