"""The host key of a VM that this machine knows, and where it has it from."""

from dataclasses import dataclass
from typing import Literal

# serial-log: printed at the console, so as trustworthy as Azure. attested: bound to evidence that
# was accepted.
HostKeySource = Literal["serial-log", "attested"]


@dataclass(frozen=True, slots=True)
class KnownHostKey:
    """The ssh-ed25519 key blob (51 bytes) of the VM with this vmId (lower case).

    recorded_at: RFC 3339, UTC.
    """

    vm_id: str
    blob: bytes
    source: HostKeySource
    recorded_at: str
