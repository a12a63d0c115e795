"""Run Command (the action, version 1): a script that Azure runs as root in a VM.

One runs at a time. It answers with the last 4,096 bytes of the output, and not with the exit code:
a failed script is a success too (azure-cli#14425).
"""

from typing import Any

from ccgpu.fakearm import compute_errors, errors, kinds, operations
from ccgpu.fakearm.call import IN_GROUP, ArmCall, Route, Routes, accepted_response, require_group
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.vm import power, view
from ccgpu.fakearm.vm.inside import ScriptOutput, read_machine
from ccgpu.fakearm.vm.rules import value_at
from ccgpu.fakearm.wire import Body, FakeGap, Response
from ccgpu.fakearm.world import StoredResource, World

_ACTION = "vm.runCommand"
# Bytes: Microsoft Learn, "Run scripts in your Linux VM by using action Run Commands", limits.
_LIMIT = 4096


def run_command(call: ArmCall) -> Response:
    """Accept a script."""
    vm = tracked.require(call, kinds.VM)
    require_group(call, write=True)
    script = _read_script(call.body())
    if vm.internal_state["power"] != "running":
        raise compute_errors.vm_not_running()
    if not value_at(vm.properties, "osProfile", "allowExtensionOperations"):
        raise compute_errors.extensions_disallowed()
    if any(one.action == _ACTION for one in operations.running_operations(call.world, vm.key)):
        raise compute_errors.run_command_busy()
    tracked.refuse_while_busy(call, vm)
    vm.state = "Updating"
    call.world.save(vm)
    seconds = call.world.duration(_ACTION)
    operation = operations.begin(call.world, _ACTION, vm, seconds, script=script)
    return accepted_response(call, 202, operation, None)


def _read_script(body: Body) -> list[str]:
    unknown = body.keys() - {"commandId", "script", "parameters"}
    if unknown or body.get("commandId") != "RunShellScript" or body.get("parameters"):
        raise FakeGap(f"Run Command with {sorted(body)} and commandId {body.get('commandId')!r}")
    lines: Any = body.get("script")
    if not isinstance(lines, list) or not all(isinstance(one, str) for one in lines):
        raise errors.bad_json("the script must be a list of strings")
    return lines


def finish_run_command(world: World, operation: Operation, vm: StoredResource) -> Body | None:
    """Run the script; its output is the operation's. A VM without a reporting agent fails."""
    power.finish_update(world, operation, vm)
    if world.inside is None or not view.is_agent_ready(world, vm):
        return compute_errors.agent_silent(vm.name)
    printed = world.inside.run_script(read_machine(world, vm), operation.data["script"])
    if printed is None:
        return compute_errors.agent_silent(vm.name)
    status = {
        "code": "ProvisioningState/succeeded",
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
        "message": _message(printed),
    }
    operation.data["output"] = {"value": [status]}
    return None


def _message(printed: ScriptOutput) -> str:
    """The output as the Linux agent's extension shows it; only the last bytes of each stream."""
    out, err = (text[-_LIMIT:].decode("utf-8", "replace") for text in printed)
    return f"Enable succeeded: \n[stdout]\n{out}\n[stderr]\n{err}"


ROUTES: Routes = {
    ("POST", f"{IN_GROUP}{kinds.VM.lower()}/*/runcommand"): Route(run_command, kinds.COMPUTE_API)
}
FINISHERS = {_ACTION: finish_run_command}
