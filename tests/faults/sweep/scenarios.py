"""The commands under test: the life of one deployment among foreign resources."""

import os
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from ccgpu.domain.resource import tags_of
from ccgpu.fakearm import Request
from ccgpu.workflows import lifecycle
from ccgpu.workflows.extend import extend
from ccgpu.workflows.list_deployments import list_deployments
from support.cloud import DEPLOYMENT_KINDS, Machine, make_spec
from support.measured_deployments import MANIFEST, SHA256, VERSION, gallery

# State-only encryption: a VM takes 44 s instead of 15 minutes, with fewer equal polls.
SPEC = make_spec(os_disk={"encryption": "state-only"}, regions=["eastus2", "westeurope"])

# Updates that Azure makes in place: a rule, tags, another disk, a lease.
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


# Foreign elements of our resources: those from before, and those added during the command.
FOREIGN_ELEMENTS = {
    f"{_RULES}/jit": _rule(200),
    f"{_SUBNETS}/AzureBastionSubnet": {"properties": {"addressPrefix": "10.71.1.0/26"}},
}
RULE, SUBNET = f"{_RULES}/jit-2", f"{_SUBNETS}/GatewaySubnet"
ADDED_ELEMENTS = {RULE: _rule(201), SUBNET: {"properties": {"addressPrefix": "10.71.2.0/27"}}}


@dataclass(frozen=True, slots=True)
class Scenario:
    """The steps before the fault, and the command under the fault."""

    name: str
    before: tuple[Action, ...]
    act: Action
    # Whether the command did what it reported; `invariants` checks deletes.
    done: Callable[[Machine], bool] = lambda _: True
    foreign_in_group: bool = False  # foreign resources are in our group
    foreign_elements: bool = False  # a foreign rule and subnet are in our resources
    stop_at: str = ""  # the first method that another scenario covers, with the rest
    start_at: str = ""  # the first method that no other scenario covers
    methods: tuple[str, ...] = ()  # only these methods: another scenario covers the others
    within: str = ""  # only requests whose path matches: another scenario covers the others
    kinds: tuple[str, ...] = ()  # only these kinds of faults: another scenario covers the others
    reads: bool = False  # it changes nothing, names nothing that is left, and gives up in minutes
    foreign: Action | None = None  # makes foreign resources that the command needs
    again: Action | None = None  # the create that has to complete it; None: that of `SPEC`


def _create(machine: Machine) -> object:
    return machine.create(SPEC)


def _update(machine: Machine) -> object:
    return machine.create(UPDATED)


def _publish(machine: Machine) -> None:
    """The image of others in a gallery, and its manifest on this machine, before any fault."""
    assert not machine.arm.add(gallery()).problems
    file = _manifest_file(machine)
    new = file.with_name(f"image.{os.getpid()}")  # another process may read it
    new.write_bytes(MANIFEST)
    new.replace(file)


def _manifest_file(machine: Machine) -> Path:
    """The file that all trials below one folder share."""
    return machine.state.parent.parent / "image.json"


def _create_measured(machine: Machine) -> object:
    file = _manifest_file(machine)
    return machine.create(make_spec(image=f"measured:{file}@{VERSION}"))


def _is_measured(machine: Machine) -> bool:
    """Whether all exists, and this machine knows what the VM is held to."""
    (record,) = machine.state.glob("journals/*/demo.image")
    return _is_complete(machine) and SHA256 in record.read_text()


def _delete(machine: Machine) -> object:
    return machine.delete()


def _stop(machine: Machine) -> None:
    lifecycle.change_power_state(machine.cloud, "stop", "demo")


def _start(machine: Machine) -> None:
    lifecycle.change_power_state(machine.cloud, "start", "demo")


def _extend(machine: Machine) -> object:
    return extend(machine.cloud, "demo", timedelta(hours=4))


def _list(machine: Machine) -> None:
    """A list is complete, or an error: one that is short says that nothing bills."""
    found = list_deployments(machine.cloud)
    shown = {one.name: (one.state.value, len(one.resources)) for one in found}
    if shown != {"demo": ("ready", 7), "demo2": ("leftovers", 4)}:
        raise RuntimeError(f"it lists {shown}")


def _delete_elsewhere(machine: Machine) -> object:
    other = copy(machine)
    other.state = machine.state.parent / "elsewhere"
    return other.delete()


def _is_complete(machine: Machine) -> bool:
    """Whether all exists: the group, three network resources, the NIC, the VM and its disk."""
    return sum("/ccgpu-demo" in id_.casefold() + "/" for id_ in machine.ids()) >= len(
        DEPLOYMENT_KINDS
    )


def _is_updated(machine: Machine) -> bool:
    """Whether the rule has changed and the new disk exists."""
    nsg = machine.get(f"{_PROVIDERS}/{_NSG}/demo-nsg", "2026-03-01")
    rules = {one["name"]: one["properties"] for one in nsg["properties"]["securityRules"]}
    disk = any(id_.endswith("/demo-data0") for id_ in machine.ids())
    return disk and rules["ssh"]["sourceAddressPrefix"] == UPDATED.ssh_from


def _is_extended(machine: Machine) -> bool:
    """Whether the group has an end, and the VM the same one, unless somebody deleted the VM."""
    vm = machine.get(f"{_PROVIDERS}/Microsoft.Compute/virtualMachines/demo")
    group = machine.get("/resourceGroups/ccgpu-demo", "2025-04-01")
    end = tags_of(group).get("ccgpu-expires")
    return end is not None and ("error" in vm or tags_of(vm).get("ccgpu-expires") == end)


def _has_power_state(state: str) -> Callable[[Machine], bool]:
    view = (
        "/resourceGroups/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo/instanceView"
    )
    return lambda machine: f"PowerState/{state}" in str(machine.get(view))


# The lists of the whole subscription; a read of one resource is as in other commands.
_LISTS = "^/subscriptions/[^/]*/(resourcegroups|resources|providers/[^/]*/virtualmachines)$"
# Those after which it is not known whether a list is whole; one that lags behind tells nobody.
_OF_LISTS = (
    *("reset", "html", "empty-200", "403-authorization", "get-404", "429-after-3600"),
    *("ids-in-capitals", "list-tagless", "next-foreign", "disk-full"),
)

SCENARIOS = {
    one.name: one
    for one in (
        Scenario("create", (), _create, _is_complete),
        Scenario("delete", (_create,), _delete),
        Scenario(
            *("create-measured", (), _create_measured, _is_measured),
            within="/galleries/",
            foreign=_publish,
            again=_create_measured,
        ),
        Scenario(
            "update",
            (_create,),
            _update,
            _is_updated,
            foreign_elements=True,
            methods=("PUT", "PATCH"),
        ),
        Scenario("list", (_create,), _list, within=_LISTS, kinds=_OF_LISTS, reads=True),
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
        Scenario("extend", (_create,), _extend, _is_extended, start_at="PATCH"),
        Scenario("start", (_create, _stop), _start, _has_power_state("running"), start_at="POST"),
    )
}


def create_foreign_resources(machine: Machine) -> None:
    """Create ten foreign resources, some with names like ours."""
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
    """Returns a listener that puts foreign resources into our group once it exists."""
    arm, done = machine.arm, False

    def add_once(request: Request, _: object) -> None:
        nonlocal done
        if done or request.method != "PUT" or not request.path.endswith("/ccgpu-demo"):
            return
        done = True
        listener, arm.on_commit = arm.on_commit, None
        faults, arm.faults = arm.faults, []
        # The last name could be one of ours.
        for kind, name in ((_NSG, "guest"), (_NSG, "demo-guest"), (_IP, "demo-nat-ip")):
            path = f"{_PROVIDERS}/{kind}/{name}"
            rest = _STATIC_IP if kind == _IP else {}
            body = {"location": "eastus2", "tags": {"owner": "guest"}, **rest}
            machine.put(path, "2026-03-01", body)
        arm.on_commit, arm.faults = listener, faults

    return add_once
