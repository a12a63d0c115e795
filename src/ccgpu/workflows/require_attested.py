"""`--require-attested`: nothing is sent to a VM that this machine has not attested in this boot."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ccgpu.azure.run import Run
from ccgpu.domain.attestation import AttestationRecord
from ccgpu.domain.desired import Names
from ccgpu.errors import EvidenceRejected
from ccgpu.guest.channel import Channel, CommandRunner, GuestTarget, OpenChannel
from ccgpu.workflows.attestation_records import accepted_record
from ccgpu.workflows.fresh_evidence import read_boot_id
from ccgpu.workflows.guest_access import wait_until_reachable


@contextmanager
def opened_if_attested(
    run: Run, names: Names, channels: OpenChannel, target: GuestTarget
) -> Iterator[Channel]:
    """A channel with one connection, to a VM that is attested; raises as the functions below.

    No other connection is made in its place: that could be to another boot, with the same host key.
    """
    record = require_attested(run, names, target)
    with channels(target) as channel, ExitStack() as kept:

        def connect() -> None:
            with ExitStack() as attempt:
                attempt.enter_context(channel.keep())
                require_same_boot(channel, record, names.deployment)
                kept.push(attempt.pop_all())

        wait_until_reachable(run, names, connect)
        yield channel


def require_attested(run: Run, names: Names, target: GuestTarget) -> AttestationRecord:
    """The accepted verdict on the VM with this host key; nothing is sent.

    Raises:
        EvidenceRejected: There is none that still counts.
        StateUnusable: The record is damaged.
    """
    name = names.deployment
    record = accepted_record(run.cloud, names, target.vm_id)
    if record is None:
        raise EvidenceRejected(
            f"{name} is not attested, or its verdict does not count any more",
            hint=f"`ccgpu attest {name}`",
        )
    if record.host_key != target.host_key:
        raise EvidenceRejected(
            f"the host key of {name} is not the one that was attested",
            hint=f"`ccgpu attest {name}`",
        )
    return record


def require_same_boot(channel: CommandRunner, record: AttestationRecord, name: str) -> None:
    """Connect, and refuse a VM that has been started anew since it was attested.

    Raises:
        EvidenceRejected: It has, or does not tell its boot.
        GuestUnreachable, HostKeyMismatch, ConnectionLost, TimedOut: As `Channel` says.
    """
    boot_id = read_boot_id(channel)
    if not boot_id or boot_id != record.boot_id:
        raise EvidenceRejected(
            f"{name} has been started anew since it was attested", hint=f"`ccgpu attest {name}`"
        )
