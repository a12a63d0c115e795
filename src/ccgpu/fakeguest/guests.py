"""All guests of one simulated subscription: the side that Azure asks (serial log, Run Command).

A guest's modules are imported when it is asked: most requests to Azure are about no guest.
"""

from collections.abc import Sequence

from ccgpu.fakearm import FakeArm, Machine, MeasureDisk, ScriptOutput


class SimulatedGuests:
    """What runs in the VMs of a simulated subscription."""

    def serial_log(self, machine: Machine, /) -> str:
        """Everything that the VM has printed on its serial console so far."""
        from ccgpu.fakeguest.serial_log import serial_log

        return serial_log(machine)

    def run_script(self, machine: Machine, lines: Sequence[str], /) -> ScriptOutput | None:
        """Run a script as root; None if the agent in the VM no longer takes any (lockdown)."""
        from ccgpu.fakeguest.commands.table import run_script
        from ccgpu.fakeguest.guest import SimulatedGuest

        guest = SimulatedGuest(machine)
        if guest.setup is not None and guest.setup.is_done("lockdown"):
            return None
        ending = run_script(guest, lines)
        return ScriptOutput(ending.stdout, ending.stderr)


def inhabit(arm: FakeArm, measure_disk: MeasureDisk | None = None) -> None:
    """Let a guest run in each VM of the subscription.

    measure_disk: what a boot measures of a disk that was uploaded.
    """
    arm.inhabit(SimulatedGuests(), measure_disk)
