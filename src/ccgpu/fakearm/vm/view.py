"""What a GET tells of a VM, and its instance view: power state and guest agent.

Recorded: right after Succeeded the agent is "Not Ready" and the VM is not yet running.
"""

from ccgpu.fakearm.clock import stamp
from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import Resource, World

_DISPLAY = {"Succeeded": "Provisioning succeeded", "Failed": "Provisioning failed"}


def body_of(vm: Resource) -> Body:
    """The VM as a GET tells it: deallocated, it does not know the size and type of its disks."""
    if vm.hidden["power"] != "deallocated":
        return vm.body
    storage = vm.properties["storageProfile"]
    shown = {
        **storage,
        "osDisk": _without_size_and_type(storage["osDisk"]),
        "dataDisks": [_without_size_and_type(one) for one in storage["dataDisks"]],
    }
    return {**vm.body, "properties": {**vm.properties, "storageProfile": shown}}


def _without_size_and_type(disk: Body) -> Body:
    shown = {key: value for key, value in disk.items() if key != "diskSizeGB"}
    managed = disk["managedDisk"]
    shown["managedDisk"] = {k: v for k, v in managed.items() if k != "storageAccountType"}
    return shown


def ready(world: World, vm: Resource) -> bool:
    """Whether the guest agent has reported."""
    return bool(vm.hidden["power"] == "running" and world.at >= vm.hidden["readyAt"])


def power(world: World, vm: Resource) -> str:
    state = str(vm.hidden["power"])
    if state == "running" and not ready(world, vm):
        return "starting"
    return state


def instance_view(world: World, vm: Resource) -> Body:
    storage = vm.properties["storageProfile"]
    disks = [disk for disk in (storage["osDisk"], *storage["dataDisks"]) if "name" in disk]
    answer: Body = {
        "hyperVGeneration": "V2",
        "disks": [
            {"name": disk["name"], "statuses": [_status("ProvisioningState/succeeded", world.at)]}
            for disk in disks
        ],
        "statuses": _statuses(world, vm),
    }
    if power(world, vm) in ("starting", "running"):
        answer["vmAgent"] = _agent(world, vm)
    if ready(world, vm):
        answer["computerName"] = vm.properties["osProfile"]["computerName"]
        answer["osName"], answer["osVersion"] = "ubuntu", "24.04"
    return answer


def _statuses(world: World, vm: Resource) -> list[Body]:
    state = vm.state
    statuses = [
        {
            "code": f"ProvisioningState/{state.lower()}",
            "level": "Error" if state == "Failed" else "Info",
            "displayStatus": _DISPLAY.get(state, state),
            "time": stamp(world.at),
        }
    ]
    if failure := vm.hidden.get("failure"):
        statuses[0]["code"] += f"/{failure['code']}"
        statuses[0]["message"] = failure["message"]
    if vm.hidden["power"] != "unknown":
        now = power(world, vm)
        statuses.append(
            {"code": f"PowerState/{now}", "level": "Info", "displayStatus": f"VM {now}"}
        )
    return statuses


def _status(code: str, moment: float) -> Body:
    return {
        "code": code,
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
        "time": stamp(moment),
    }


def _agent(world: World, vm: Resource) -> Body:
    if ready(world, vm):
        return {
            "vmAgentVersion": "2.15.0.1",
            "statuses": [
                {
                    **_status("ProvisioningState/succeeded", world.at),
                    "displayStatus": "Ready",
                    "message": "Guest Agent is running",
                }
            ],
            "extensionHandlers": [],
        }
    return {
        "vmAgentVersion": "Unknown",
        "statuses": [
            {
                "code": "ProvisioningState/Unavailable",
                "level": "Warning",
                "displayStatus": "Not Ready",
                "message": "VM status blob is found but not yet populated.",
                "time": stamp(world.at),
            }
        ],
    }
