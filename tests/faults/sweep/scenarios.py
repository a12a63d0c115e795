"""What is done while something goes violations: the life of one deployment among others' resources."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

from ccgpu.fakearm import Request
from ccgpu.workflows import lifecycle
from support.cloud import DEPLOYMENT_KINDS, Machine, make_spec

# Without encryption of the whole disk a VM takes 44 s instead of 15 minutes: fewer polls alike.
SPEC = make_spec(os_disk={"encryption": "state-only"}, regions=["eastus2", "westeurope"])

# What Azure changes in place: a rule, tags, a disk more, a lease.
UPDATED = SPEC.model_validate(
    SPEC.model_dump()
    | {"ssh_from": "198.51.100.9/32", "tags": {"team": "b"}, "ttl": "8h"}
    | {"data_disks": [{"size_gib": 64}]}
)

Action = Callable[[Machine], object]

_GROUP = {"location": "eastus2", "tags": {"owner": "somebody"}}
_NSG = "Microsoft.Network/networkSecurityGroups"
_VNET = "Microsoft.Network/virtualNetworks"
_STATIC_IP = {"sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}}
_IP = "Microsoft.Network/publicIPAddresses"
_PROVIDERS = "/resourceGroups/ccgpu-demo/providers"
_RULES = f"{_PROVIDERS}/{_NSG}/demo-nsg/securityRules"
_SUBNETS = f"{_PROVIDERS}/{_VNET}/demo-vnet/subnets"


def _rule(priority: int) -> dict[str, object]:
    allow = {"priority": priority, "direction": "Inbound", "access": "Allow", "protocol": "Tcp"}
    ends = {"sourceAddressPrefix": "10.0.0.1", "destinationAddressPrefix": "*"}
    ports = {"sourcePortRange": "*", "destinationPortRange": "443"}
    return {"properties": {**allow, **ends, **ports}}


# What others have written into what is ours, and what they write while we work on it.
FOREIGN_ELEMENTS = {
    f"{_RULES}/jit": _rule(200),
    f"{_SUBNETS}/AzureBastionSubnet": {"properties": {"addressPrefix": "10.71.1.0/26"}},
}
RULE, SUBNET = f"{_RULES}/jit-2", f"{_SUBNETS}/GatewaySubnet"
ADDED_ELEMENTS = {RULE: _rule(201), SUBNET: {"properties": {"addressPrefix": "10.71.2.0/27"}}}


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is there before, what is done under the fault."""

    name: str
    before: tuple[Action, ...]
    act: Action
    # Whether what it says to have done is done; what a delete leaves, the judge looks at.
    done: Callable[[Machine], bool] = lambda _: True
    foreign_in_group: bool = False  # somebody has put things of theirs into our group
    foreign_elements: bool = False  # somebody has put a rule and a subnet into our network
    stop_at: str = ""  # the method from whose first request on another scenario has the same
    start_at: str = ""  # the method up to whose first request another scenario has the same
    methods: tuple[str, ...] = ()  # the only methods whose requests differ from another scenario's


def _create(machine: Machine) -> object:
    return machine.create(SPEC)


def _update(machine: Machine) -> object:
    return machine.create(UPDATED)


def _delete(machine: Machine) -> object:
    return machine.delete()


def _stop(machine: Machine) -> None:
    lifecycle.change_power_state(machine.cloud, "stop", "demo")


def _start(machine: Machine) -> None:
    lifecycle.change_power_state(machine.cloud, "start", "demo")


def _delete_elsewhere(machine: Machine) -> object:
    other = copy(machine)
    other.state = machine.state.parent / "elsewhere"
    return other.delete()


def _is_complete(machine: Machine) -> bool:
    """All of it is there: the group, three of the network's, the NIC, the VM and its disk."""
    return sum("/ccgpu-demo" in id_.casefold() + "/" for id_ in machine.ids()) >= len(
        DEPLOYMENT_KINDS
    )


def _is_updated(machine: Machine) -> bool:
    """The rule is another, and there is a disk more."""
    nsg = machine.get(f"{_PROVIDERS}/{_NSG}/demo-nsg", "2026-03-01")
    rules = {one["name"]: one["properties"] for one in nsg["properties"]["securityRules"]}
    disk = any(id_.endswith("/demo-data0") for id_ in machine.ids())
    return disk and rules["ssh"]["sourceAddressPrefix"] == UPDATED.ssh_from


def _has_power_state(state: str) -> Callable[[Machine], bool]:
    view = (
        "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo/instanceView"
    )
    return lambda machine: f"PowerState/{state}" in str(machine.get(view))


SCENARIOS = {
    one.name: one
    for one in (
        Scenario("create", (), _create, _is_complete),
        Scenario("delete", (_create,), _delete),
        Scenario(
            "update",
            (_create,),
            _update,
            _is_updated,
            foreign_elements=True,
            methods=("PUT", "PATCH"),
        ),
        Scenario("create-stopped", (_create, _stop), _create, _is_complete),
        Scenario(
            "delete-among-guests",
            *((_create,), _delete),
            foreign_in_group=True,
            foreign_elements=True,
            methods=("DELETE",),
        ),
        Scenario("delete-elsewhere", (_create,), _delete_elsewhere, stop_at="DELETE"),
        Scenario("stop", (_create,), _stop, _has_power_state("deallocated"), start_at="POST"),
        Scenario("start", (_create, _stop), _start, _has_power_state("running"), start_at="POST"),
    )
}


def create_foreign_resources(machine: Machine) -> None:
    """Ten resources of others: elsewhere, of a deployment with a longer name, with our names."""
    tags = {"owner": "somebody"}
    other = {"ccgpu-deployment": "demo2", "ccgpu-run": "0" * 16}
    space = {"properties": {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}, "subnets": []}}
    machine.put("/resourceGroups/theirs", "2025-04-01", _GROUP)
    machine.put("/resourceGroups/ccgpu-demo2", "2025-04-01", {"location": "eastus2", "tags": other})
    for group, kind, name, rest in (
        ("theirs", _NSG, "demo-nsg", {}),
        ("theirs", _VNET, "demo-vnet", space),
        ("theirs", _IP, "demo-ip-1", _STATIC_IP),
        ("ccgpu-demo2", _NSG, "demo2-nsg", {}),
        ("ccgpu-demo2", _VNET, "demo2-vnet", space),
        ("ccgpu-demo2", _IP, "demo2-ip-1", _STATIC_IP),
    ):
        mine = other if group == "ccgpu-demo2" else tags
        path = f"/resourceGroups/{group}/providers/{kind}/{name}"
        machine.put(path, "2026-03-01", {"location": "eastus2", "tags": mine, **rest})


def create_in_our_group(machine: Machine) -> Callable[[Request, object], None]:
    """As soon as our group is there, somebody puts two things of their own into it."""
    arm, done = machine.arm, False

    def settle_in(request: Request, _: object) -> None:
        nonlocal done
        if done or request.method != "PUT" or not request.path.endswith("/ccgpu-demo"):
            return
        done = True
        heard, arm.on_commit = arm.on_commit, None
        met, arm.faults = arm.faults, []
        # The last has a name that a deployment of ours could give.
        for kind, name in ((_NSG, "guest"), (_NSG, "demo-guest"), (_IP, "demo-nat-ip")):
            path = f"{_PROVIDERS}/{kind}/{name}"
            rest = _STATIC_IP if kind == _IP else {}
            body = {"location": "eastus2", "tags": {"owner": "guest"}, **rest}
            machine.put(path, "2026-03-01", body)
        arm.on_commit, arm.faults = heard, met

    return settle_in
