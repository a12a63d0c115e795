"""`attest --host`: a machine that ccgpu did not create is asked like the VM of a deployment.

It needs no subscription. What Azure tells of a deployment's VM, the user tells here: the address,
the vmId, the host key. Nothing is recorded but the challenge.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ccgpu.attest.attestation import Attestation
from ccgpu.domain import hostkey
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.host_address import HostAddress
from ccgpu.domain.hostkey import HostKeyPin
from ccgpu.guest.channel import Channel, GuestTarget, OpenChannel
from ccgpu.guest.ssh_failures import wrong_host_key
from ccgpu.scheduling.deadline import Deadline
from ccgpu.scheduling.scheduler import Scheduler
from ccgpu.workflows import guest_access
from ccgpu.workflows.attest import AttestMeans, attest_guest, reference_file
from ccgpu.workflows.fresh_evidence import read_boot_id
from ccgpu.workflows.guest_task import GuestTask


@dataclass(frozen=True, slots=True)
class WantedHost:
    """The machine to attest, and the way to it.

    vm_id: ARM's vmId of it, in lower case; None if the user does not know it. pin: the host key
    that it has to show. identity: the private key to log in with. jump: a host to go through.
    timeout: seconds for all of it.
    """

    address: HostAddress
    vm_id: str | None
    pin: HostKeyPin | None
    identity: Path | None
    jump: str | None
    timeout: float

    @property
    def target(self) -> GuestTarget:
        """Where it is reached. A pin that is only a fingerprint is compared after connecting."""
        return GuestTarget(
            deployment=None,
            vm_id=self.vm_id,
            host=self.address.host,
            user=self.address.user,
            host_key=None if self.pin is None else self.pin.blob,
            port=self.address.port,
            identity=self.identity,
            jump=self.jump,
        )

    def task(self, scheduler: Scheduler, listen: Listener) -> GuestTask:
        """A command's work on it, which begins now and has `timeout` seconds."""
        deadline = Deadline.after(scheduler.clock, self.timeout)
        name, patience = str(self.address), guest_access.TIMEOUT
        return GuestTask(name, scheduler, deadline, listen, patience=patience)


def attest_host(
    scheduler: Scheduler,
    channels: OpenChannel,
    means: AttestMeans,
    wanted: WantedHost,
    listen: Listener = ignore_event,
) -> Attestation:
    """Challenge a machine, judge its evidence, and set the GPU of a good one ready.

    Raises:
        EvidenceUnavailable: The guest gave no evidence.
        GuestUnreachable, ConnectionLost, TimedOut: It cannot be reached, or does not answer.
        HostKeyMismatch: It shows another host key than the pinned one.
        StateUnusable: The challenge cannot be recorded.
    """
    means.require_binding()
    task = wanted.task(scheduler, listen)
    task.tell("begin", f"attest {task.name}", "attest")
    target = wanted.target
    greet = partial(_greet, target, wanted.pin)
    judged = attest_guest(task, target, channels, means, greet=greet)
    if judged.problem is None:
        judged = replace(judged, pins=reference_file(judged, means))
    task.tell("done" if judged.is_good else "failed", f"attest {task.name}", "attest")
    return replace(judged, host=wanted.address)


def _greet(target: GuestTarget, pin: HostKeyPin | None, channel: Channel, timeout: float) -> str:
    """Connect, and compare the host key with the pinned fingerprint; the id of the boot.

    The probe that was sent meanwhile is a public script, and has nothing of the user's in it.
    """
    boot_id = read_boot_id(channel, timeout)
    shown = channel.host_key
    if pin is not None and (shown is None or hostkey.sha256(shown) != pin.digest):
        raise wrong_host_key(target, pin.digest, sent="Nothing but a public script")
    return boot_id
