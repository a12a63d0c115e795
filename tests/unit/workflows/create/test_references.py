"""References of a spec are read in their own subscription and checked before the first PUT."""

from typing import Any

import pytest

from ccgpu.errors import AzureRefused, Denied, InvalidFile, NotFound
from ccgpu.fakearm import Request, Response
from ccgpu.workflows.create.planning import preview
from support import faults
from support.cloud import Machine, create_options, make_spec

_OTHER = "00000000-0000-4000-8000-0000000000bb"
_KIND = "ConfidentialVmEncryptedWithCustomerKey"
_SET = "providers/Microsoft.Compute/diskEncryptionSets/own"
_IDENTITY = "providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader"
_VNET = "providers/Microsoft.Network/virtualNetworks/hub"


def _group(subscription: str) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/keys"


class Theirs:
    """Another subscription: its resources or its error, and the requests it received."""

    def __init__(self, machine: Machine, **found: Any) -> None:
        self.found: dict[str, Any] = found
        self.refusal: Response | None = None
        self.asked: list[str] = []
        machine.arm.faults.insert(0, self)

    def __call__(self, request: Request) -> Response | None:
        if f"/subscriptions/{_OTHER}/" not in request.path:
            return None
        self.asked.append(f"{request.method} {request.path}")
        if self.refusal is not None:
            return self.refusal
        body = self.found.get(request.path.rsplit("/", 1)[-1])
        return Response(200, {"id": request.path} | body) if body else faults.NOT_FOUND


def _their_set(kind: str | None = _KIND, region: str = "eastus2") -> dict[str, Any]:
    return {"location": region, "properties": {"encryptionType": kind}}


def _with_set(subscription: str = _OTHER, **more: Any) -> dict[str, Any]:
    return {"os_disk": {"encryption_set": f"{_group(subscription)}/{_SET}"}} | more


def _refusal(machine: Machine, kind: type[Exception], **changes: Any) -> Any:
    before = machine.writes()
    with pytest.raises(kind) as caught:
        machine.create(make_spec(**changes))
    assert machine.writes() == before
    return caught.value


def test_an_encryption_set_is_read_in_its_own_subscription(machine: Machine) -> None:
    theirs = Theirs(machine, own=_their_set(region="westeurope"))
    spec = make_spec(**_with_set(regions=["eastus2", "westeurope"]))
    found = preview(machine.cloud, spec, create_options())
    assert found.candidate.placement.region == "westeurope"
    assert theirs.asked == [f"GET {_group(_OTHER)}/{_SET}"]


@pytest.mark.parametrize("kind", ["EncryptionAtRestWithCustomerKey", "Another", None])
def test_an_encryption_set_of_another_type_is_refused(machine: Machine, kind: str | None) -> None:
    Theirs(machine, own=_their_set(kind))
    err = _refusal(machine, InvalidFile, **_with_set())
    assert err.exit_code == 3
    (problem,) = err.problems
    assert problem.path == "os_disk.encryption_set"
    assert problem.message == f"is of type {kind or 'nothing'}, and must be {_KIND}"


def test_an_encryption_set_in_another_region_is_refused(machine: Machine) -> None:
    Theirs(machine, own=_their_set(region="West Europe"))
    err = _refusal(machine, InvalidFile, **_with_set())
    assert [(one.path, one.message) for one in err.problems] == [
        ("os_disk.encryption_set", "is in westeurope, not in eastus2")
    ]


_UNKNOWN = faults.error(404, "SubscriptionNotFound", "The subscription could not be found.")
_WRONG_TENANT = faults.error(401, "InvalidAuthenticationTokenTenant", "wrong issuer")


@pytest.mark.parametrize("command", ["create", "plan"])
@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            faults.FORBIDDEN,
            Denied,
            [
                "may not be read",
                f"in the subscription {_OTHER}, not in ",
                "Microsoft.Compute/diskEncryptionSets/read is missing",
            ],
        ),
        (faults.error(404, "ResourceNotFound"), NotFound, ["there is no disk encryption set"]),
        (faults.error(404, "ResourceGroupNotFound"), NotFound, ["no disk encryption set"]),
        (_UNKNOWN, NotFound, [f"the subscription {_OTHER} of the disk encryption set"]),
        (_WRONG_TENANT, AzureRefused, [f"the subscription {_OTHER} of the", "cannot be reached"]),
        (faults.error(400, "Odd", "odd"), AzureRefused, ["cannot be read", "odd [Odd]"]),
    ],
    ids=["denied", "absent", "no group", "unknown subscription", "other tenant", "odd"],
)
def test_a_denied_encryption_set_names_its_subscription_and_the_action(
    machine: Machine, answer: Response, kind: type[Exception], words: list[str], command: str
) -> None:
    Theirs(machine).refusal = answer
    spec = make_spec(**_with_set())
    planned = {"plan": lambda: preview(machine.cloud, spec, create_options())}
    with pytest.raises(kind) as caught:
        planned.get(command, lambda: machine.create(spec))()
    err: Any = caught.value
    assert machine.writes() == []
    assert err.exit_code == 4
    assert str(err).startswith("os_disk.encryption_set: ")
    assert f"{_group(_OTHER)}/{_SET}" in str(err)
    for word in words:
        assert word in str(err)


def test_a_denial_names_the_credential(machine: Machine) -> None:
    Theirs(machine).refusal = faults.FORBIDDEN
    err = _refusal(machine, Denied, **_with_set())
    assert err.signed_in_with == "FakeCredential"
    assert err.hint == (
        "grant Microsoft.Compute/diskEncryptionSets/read on it; signed in with FakeCredential"
    )


def test_a_subnet_is_read_in_its_own_subscription_and_sets_the_region(
    machine: Machine,
) -> None:
    subnet = f"{_group(_OTHER)}/{_VNET}/subnets/GPU"
    network = {
        "location": "westeurope",
        "properties": {"subnets": [{"id": subnet.lower(), "name": "gpu"}]},
    }
    theirs = Theirs(machine, hub=network)
    spec = make_spec(subnet=subnet, regions=["eastus2", "westeurope"])
    found = preview(machine.cloud, spec, create_options())
    assert found.candidate.placement.region == "westeurope"
    assert theirs.asked == [f"GET {_group(_OTHER)}/{_VNET}"]
    err = _refusal(machine, InvalidFile, subnet=subnet)
    assert [(one.path, one.message) for one in err.problems] == [
        ("subnet", "is in westeurope, not in eastus2")
    ]


@pytest.mark.parametrize("found", [{}, {"hub": {"location": "eastus2", "properties": {}}}])
def test_a_missing_subnet_is_not_found(machine: Machine, found: Any) -> None:
    Theirs(machine, **found)
    subnet = f"{_group(_OTHER)}/{_VNET}/subnets/gpu"
    err = _refusal(machine, NotFound, subnet=subnet)
    assert str(err).startswith(f"subnet: there is no subnet {subnet}")


def test_identities_are_read_in_their_own_subscription(machine: Machine) -> None:
    theirs = Theirs(machine)
    identity = f"{_group(_OTHER)}/{_IDENTITY}"
    err = _refusal(machine, NotFound, identities=["system", identity])
    assert str(err).startswith(f"identities: there is no identity {identity}")
    assert theirs.asked == [f"GET {identity}"]
    theirs.refusal = faults.FORBIDDEN
    err = _refusal(machine, Denied, identities=[identity])
    assert "Microsoft.ManagedIdentity/userAssignedIdentities/read is missing" in str(err)
    theirs.refusal, theirs.found = None, {"reader": {"location": "anywhere"}}
    preview(machine.cloud, make_spec(identities=[identity]), create_options())


def test_an_existing_vm_needs_no_reads_of_references(machine: Machine) -> None:
    theirs = Theirs(machine, reader={"location": "eastus2"})
    machine.put("/resourceGroups/keys", "2025-04-01", {"location": "eastus2"})
    mine = f"{_group(machine.arm.subscription)}/{_IDENTITY}"
    machine.put(mine.partition(machine.arm.subscription)[2], "2024-11-30", {"location": "eastus2"})
    machine.create(make_spec(identities=[mine]))
    asked: list[str] = []
    machine.arm.faults.append(lambda request: asked.append(request.path))
    machine.create(make_spec(identities=[mine]))
    assert [one for one in asked if "userAssignedIdentities" in one] == []
    assert theirs.asked == []


def test_an_identity_added_to_an_existing_vm_is_read(machine: Machine) -> None:
    machine.create()
    absent = f"{_group(machine.arm.subscription)}/{_IDENTITY}"
    err = _refusal(machine, NotFound, identities=[absent])
    assert str(err).startswith("identities: there is no identity")


def test_a_new_encryption_set_is_read_before_the_vm_is_replaced(
    machine: Machine,
) -> None:
    Theirs(machine, own=_their_set("EncryptionAtRestWithCustomerKey"))
    machine.create()
    before = machine.writes()
    with pytest.raises(InvalidFile, match="is of type EncryptionAtRest"):
        machine.create(make_spec(**_with_set()), replace=True)
    assert machine.writes() == before


def test_a_valid_encryption_set_of_the_same_subscription_is_used(machine: Machine) -> None:
    machine.put("/resourceGroups/keys", "2025-04-01", {"location": "eastus2"})
    mine = f"{_group(machine.arm.subscription)}/{_SET}"
    body = {
        "location": "eastus2",
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "encryptionType": _KIND,
            "activeKey": {"keyUrl": "https://own.vault.azure.net/keys/k/1"},
        },
    }
    machine.put(mine.partition(machine.arm.subscription)[2], "2026-03-02", body)
    machine.create(make_spec(**_with_set(machine.arm.subscription)))
