"""The record of a challenge that this machine sent."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ChallengeRecord:
    """One challenge: the nonce, and the identity of the VM that it was sent to.

    `nonce`: 32 bytes, drawn for this challenge. `vm_id`: ARM's `properties.vmId`; None if nobody
    has said which VM is meant. `host_key`: the SSH public-key blob of the connection. `sent_at`:
    the client's clock.
    """

    nonce: bytes
    vm_id: str | None
    host_key: bytes
    sent_at: datetime
