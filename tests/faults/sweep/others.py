"""What other people do just before one of our requests goes on.

Azure has no transaction: between any two requests somebody else's may come.
"""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ccgpu.fakearm import FAKE_SUBSCRIPTION, Answer, Request
from faults.sweep import scenarios
from faults.sweep.judge import Witness, created
from support.cloud import Machine

_GROUP = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/ccgpu-demo"
_VM = f"{_GROUP}/providers/Microsoft.Compute/virtualMachines/demo"
_NSG = f"{_GROUP}/providers/Microsoft.Network/networkSecurityGroups/demo-nsg"
_APIS = {"/Microsoft.Compute/": "2026-04-01", "/Microsoft.Network/": "2026-03-01", "": "2025-04-01"}


@dataclass(frozen=True, slots=True)
class Meddling:
    """What somebody else does; `codes` and so on as of a `Kind`."""

    name: str
    act: Callable[[Machine, Witness], None]
    # When there is something to do.
    possible: Callable[[Machine], bool]
    scenarios: Collection[str] = tuple(scenarios.SCENARIOS)
    codes: frozenset[int] = frozenset()
    passes: bool = False
    like: str = ""


@contextmanager
def _unseen(machine: Machine) -> Iterator[None]:
    """What others do meets no fault, and nobody takes it for ours."""
    arm = machine.arm
    met, arm.faults = arm.faults, []
    heard, arm.on_commit = arm.on_commit, None
    try:
        yield
    finally:
        arm.faults, arm.on_commit = met, heard


def _sent(machine: Machine, method: str, path: str, body: object = None) -> Answer:
    """What ARM answers somebody else."""
    api = next(api for part, api in _APIS.items() if part in path)
    headers = {"Authorization": "Bearer somebody"}
    said = b"" if body is None else json.dumps(body).encode()
    url = f"https://management.azure.com{path}?api-version={api}"
    with _unseen(machine):
        return machine.arm.send(Request(method, url, headers, said))


def _at_rest(machine: Machine, path: str) -> bool:
    answer = _sent(machine, "GET", path)
    return answer.status == 200 and answer.body["properties"]["provisioningState"] == "Succeeded"


def _created(machine: Machine, _: Witness) -> None:
    """Another machine does the whole of the same create."""
    with _unseen(machine):
        Machine(machine.arm, machine.state.parent / "other").create(scenarios.SPEC)


def _deleted(machine: Machine, _: Witness) -> None:
    """Somebody deletes the VM in the portal."""
    assert _sent(machine, "DELETE", _VM).status == 202
    machine.arm.advance(600)


def _tagged(machine: Machine, _: Witness) -> None:
    """Somebody's policy adds a tag to the VM, which changes its ETag."""
    tags = _sent(machine, "GET", _VM).body["tags"]
    assert _sent(machine, "PATCH", _VM, {"tags": {**tags, "cost-center": "42"}}).status == 200


def _written(path: str) -> Callable[[Machine, Witness], None]:
    """Somebody writes a rule or a subnet of theirs into what is ours."""

    def write(machine: Machine, witness: Witness) -> None:
        full = f"/subscriptions/{FAKE_SUBSCRIPTION}{path}"
        assert _sent(machine, "PUT", full, scenarios.ADDED[path]).status == 201
        machine.arm.advance(60)
        witness.elements.add(path)

    return write


def _writable(path: str) -> Callable[[Machine], bool]:
    """Whether what it belongs to is there, and at rest."""
    parent = f"/subscriptions/{FAKE_SUBSCRIPTION}{path.rsplit('/', 2)[0]}"
    return lambda machine: _at_rest(machine, parent)


def _taken(machine: Machine, witness: Witness) -> None:
    """Where one of ours has been deleted, somebody makes one of theirs of the same name."""
    body = {"location": "eastus2", "tags": {"owner": "somebody"}}
    assert _sent(machine, "PUT", _NSG, body).status == 201
    machine.arm.advance(60)
    id_ = _NSG.casefold()
    witness.strangers[id_] = created(machine.arm)[id_]


def _free(machine: Machine) -> bool:
    """Whether our security group has gone, and not yet its group."""
    return _at_rest(machine, _GROUP) and _sent(machine, "GET", _NSG).status == 404


def _vm_there(machine: Machine) -> bool:
    return _at_rest(machine, _VM)


OTHERS = {
    one.name: one
    for one in (
        Meddling("other-machine", _created, lambda _: True, ("create",), passes=True),
        Meddling("vm-deleted", _deleted, _vm_there, codes=frozenset({4})),
        Meddling("vm-retagged", _tagged, _vm_there, passes=True),
        *(
            Meddling(
                name,
                *(_written(path), _writable(path)),
                *(("create", "delete", "update"),),
                passes=True,
            )
            for name, path in (
                ("rule-added", scenarios.RULE),
                ("subnet-added", scenarios.SUBNET),
            )
        ),
        Meddling("name-taken", _taken, _free, ("delete",), passes=True),
    )
}
