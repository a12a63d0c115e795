"""All guests of one simulated subscription: the side that Azure asks (serial log, Run Command)."""

from ccgpu.fakearm import FakeArm, Machine, ScriptOutput
from ccgpu.fakeguest.commands.table import run_script
from ccgpu.fakeguest.guest import Guest
from ccgpu.fakeguest.serial_log import serial_log


class Guests:
    """What runs in the VMs of a simulated subscription."""

    def serial_log(self, machine: Machine, /) -> str:
        """Everything that the VM has printed on its serial console so far."""
        return serial_log(machine)

    def run_script(self, machine: Machine, script: str, /) -> ScriptOutput:
        """Run a script as root in a VM whose agent reports."""
        ending = run_script(Guest(machine), script)
        return ScriptOutput(ending.stdout, ending.stderr)


def inhabit(arm: FakeArm) -> None:
    """Let a guest run in each VM of the subscription."""
    arm.inhabit(Guests())
