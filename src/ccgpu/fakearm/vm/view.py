"""What GET returns for a VM, and its instance view: power state and guest agent.

Recorded: right after Succeeded the agent is "Not Ready" and the VM is not running yet.
"""

from ccgpu.fakearm.clock import arm_time
from ccgpu.fakearm.vm.measured import has_agent
from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import StoredResource, World

_DISPLAY_STATUS = {"Succeeded": "Provisioning succeeded", "Failed": "Provisioning failed"}


def vm_body(vm: StoredResource) -> Body:
    """The VM as GET returns it. A deallocated one lacks the size and type of its disks."""
    if vm.internal_state["power"] != "deallocated":
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


def is_agent_ready(world: World, vm: StoredResource) -> bool:
    """Whether the guest agent has reported."""
    return bool(
        vm.internal_state["power"] == "running" and world.now >= vm.internal_state["readyAt"]
    )


def record_agent_report(world: World, vm: StoredResource) -> None:
    """Record the time of the agent's last report before the power state changes."""
    if is_agent_ready(world, vm):
        vm.internal_state["reportedAt"] = world.now


def last_report(world: World, vm: StoredResource) -> float | None:
    """When the agent reported ready, if Azure still shows it.

    Recorded: a stopped VM's agent is shown as ready for a while, with the time of its last report.
    The setting `stale_agents` extends this to a deallocated VM and one that starts again.
    """
    if is_agent_ready(world, vm):
        return world.now
    reported: float | None = vm.internal_state.get("reportedAt")
    if reported is None:
        return None
    if world.settings.value("stale_agents"):
        return reported
    off = vm.internal_state["power"] in ("stopping", "stopped")
    return reported if off and world.now < reported + world.duration("vm.agent") else None


def power_state(world: World, vm: StoredResource) -> str:
    state = str(vm.internal_state["power"])
    if state == "running" and not is_agent_ready(world, vm):
        return "starting"
    return state


def instance_view(world: World, vm: StoredResource) -> Body:
    storage = vm.properties["storageProfile"]
    disks = [disk for disk in (storage["osDisk"], *storage["dataDisks"]) if "name" in disk]
    answer: Body = {
        "hyperVGeneration": "V2",
        "disks": [
            {"name": disk["name"], "statuses": [_status("ProvisioningState/succeeded", world.now)]}
            for disk in disks
        ],
        "statuses": _statuses(world, vm),
    }
    if not has_agent(vm):
        return answer
    reported = last_report(world, vm)
    if reported is not None:
        answer["vmAgent"] = _ready_agent(reported)
    elif power_state(world, vm) in ("starting", "running"):
        answer["vmAgent"] = _waiting_agent(world)
    if reported is not None:
        answer["computerName"] = vm.properties["osProfile"]["computerName"]
        answer["osName"], answer["osVersion"] = "ubuntu", "24.04"
    return answer


def _statuses(world: World, vm: StoredResource) -> list[Body]:
    state = vm.state
    statuses = [
        {
            "code": f"ProvisioningState/{state.lower()}",
            "level": "Error" if state == "Failed" else "Info",
            "displayStatus": _DISPLAY_STATUS.get(state, state),
            "time": arm_time(_last_change(world, vm)),
        }
    ]
    if failure := vm.internal_state.get("failure"):
        statuses[0]["code"] += f"/{failure['code']}"
        statuses[0]["message"] = failure["message"]
    if vm.internal_state["power"] != "unknown":
        now = power_state(world, vm)
        statuses.append(
            {"code": f"PowerState/{now}", "level": "Info", "displayStatus": f"VM {now}"}
        )
    return statuses


def _last_change(world: World, vm: StoredResource) -> float:
    """When the last operation on the VM ended; now, while one runs."""
    return float(vm.internal_state.get("changedAt", vm.created)) if vm.settled else world.now


def _status(code: str, moment: float) -> Body:
    return {
        "code": code,
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
        "time": arm_time(moment),
    }


def _ready_agent(reported: float) -> Body:
    return {
        "vmAgentVersion": "2.15.0.1",
        "statuses": [
            {
                **_status("ProvisioningState/succeeded", reported),
                "displayStatus": "Ready",
                "message": "Guest Agent is running",
            }
        ],
        "extensionHandlers": [],
    }


def _waiting_agent(world: World) -> Body:
    return {
        "vmAgentVersion": "Unknown",
        "statuses": [
            {
                "code": "ProvisioningState/Unavailable",
                "level": "Warning",
                "displayStatus": "Not Ready",
                "message": "VM status blob is found but not yet populated.",
                "time": arm_time(world.now),
            }
        ],
    }
