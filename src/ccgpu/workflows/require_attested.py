"""`--require-attested`: nothing is sent to a VM that this machine has not attested in this boot."""

from ccgpu.azure.run import Run
from ccgpu.domain.attestation import AttestationRecord
from ccgpu.domain.desired import Names
from ccgpu.errors import EvidenceRejected
from ccgpu.guest.channel import CommandRunner, GuestTarget
from ccgpu.workflows.attestation_records import accepted_record
from ccgpu.workflows.fresh_evidence import read_boot_id


def require_attested(run: Run, names: Names, target: GuestTarget) -> AttestationRecord:
    """The accepted verdict on the VM with this host key; nothing is sent.

    Raises:
        EvidenceRejected: There is none that still counts.
        StateUnusable: The record is damaged.
    """
    name = names.deployment
    record = accepted_record(run.cloud, name, target.vm_id)
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
