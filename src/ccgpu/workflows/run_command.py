"""Run a command in a VM by Azure's agent: without SSH, as root, and not attested."""

from collections.abc import Sequence

from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import run_task, send_alone, write_and_wait
from ccgpu.azure.run import Run
from ccgpu.azure.run_command import RunCommandCall
from ccgpu.domain.catalog import Kind
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.run_command import OutputCut, parse_message, script_of
from ccgpu.domain.vm_view import properties
from ccgpu.errors import GuestNotReady, UsageProblem
from ccgpu.guest.channel import Completed
from ccgpu.workflows.discovery.search import find_names, require_vm

TIMEOUT = 1800.0  # Azure itself ends a script after 90 minutes


def run_by_agent(
    cloud: AzureContext,
    name: str,
    argv: Sequence[str],
    group: str | None = None,
    *,
    timeout: float = TIMEOUT,
    listen: Listener = ignore_event,
) -> Completed:
    """Run a command to its end, and return all of its output.

    Raises:
        UsageProblem: the VM was created so that no agent runs anything in it.
        GuestNotReady: it printed more than the agent keeps, or the agent gave no exit code.
    """
    run = Run.begin(cloud, timeout, listen)
    names = find_names(run, name, group)
    profile = properties(require_vm(run, names)).get("osProfile") or {}
    if profile.get("allowExtensionOperations") is False:
        raise UsageProblem(
            f"{name} was created with guest.lockdown, which closes this way into the VM",
            hint="`--via ssh` goes over SSH",
        )
    call = RunCommandCall(cloud.arm, names.vm, script_of(argv))
    doing = f"{names.vm}: Run Command"
    run_task(run, write_and_wait(run, Kind.VM, names.vm, call.start, doing))
    message = send_alone(run, call.message, f"reading the result of {doing}")
    try:
        code, out, err = parse_message(message)
    except OutputCut as cut:
        raise GuestNotReady(
            f"Run Command in {name}: the command has ended, but {cut}, of which Azure keeps the "
            "end alone: nothing of it is shown",
            hint="`--via ssh` has no limit",
        ) from cut
    except ValueError as error:
        raise GuestNotReady(
            f"Run Command in {name}: {error}: whether the command has ended is unknown"
        ) from error
    return Completed(code, out.encode(), err.encode())
