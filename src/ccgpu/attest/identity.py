"""Whose evidence it has to be, and when it was asked for: what the caller knows by itself.

Evidence cannot say whose it should be. With its maker's vmId and host key any genuine VM could
answer for another one, and with its maker's nonce an old answer for a new one. They stand in for
the caller's own only where the policy says `unsafe_trust_bundle_…`, and the verdict then says so.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime

from ccgpu.attest.check import Checks, Rule
from ccgpu.domain import hostkey
from ccgpu.domain.evidence import Claimed
from ccgpu.domain.policy import Policy

_BIND = "ccgpu-bind-v1, docs/trust.md"

VM_ID_UNKNOWN = Rule("identity.vm-id.unknown", "the caller knows the vmId of the VM", _BIND)
VM_ID_OTHER = Rule(
    "identity.vm-id.other", "the evidence names the VM that the caller asked for", _BIND
)
HOST_KEY_UNKNOWN = Rule(
    "identity.host-key.unknown", "the caller knows the SSH host key of the VM", _BIND
)
HOST_KEY_OTHER = Rule(
    "identity.host-key.other", "the evidence names the host key that the caller pinned", _BIND
)

MAKERS_WORD = "only the word of the evidence's maker"


@dataclass(frozen=True, slots=True)
class Known:
    """What the caller knows of the challenge, from its own options or its own record.

    `vm_id`: ARM's vmId. `host_key`: SHA-256 of the pinned key's blob (32 bytes). `sent_at`: when
    this machine recorded that it asked.
    """

    nonce: bytes | None = None
    vm_id: str | None = None
    host_key: bytes | None = None
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """The VM and host key (SHA-256) that the evidence is held to; None where nobody names one."""

    vm_id: str | None
    host_key: bytes | None


def settle(claimed: Claimed, known: Known, policy: Policy, checks: Checks) -> Identity:
    """The caller's identity, else that of the evidence's maker; checked where it is demanded."""
    claimed_key = hostkey.sha256(claimed.host_key) if claimed.host_key else None
    key, said_key = known.host_key, claimed_key
    if policy.binding == "ccgpu-bind-v1":
        trusted = policy.unsafe_trust_bundle_identity
        has_id, has_key = known.vm_id is not None, key is not None
        checks.that(
            VM_ID_UNKNOWN, has_id or trusted, "a vmId", known.vm_id or _makers(claimed.vm_id)
        )
        shown = hostkey.fingerprint(key) if key else _makers(said_key)
        checks.that(HOST_KEY_UNKNOWN, has_key or trusted, "an SSH host key", shown)
    if known.vm_id is not None and claimed.vm_id is not None:
        same = known.vm_id.lower() == claimed.vm_id.lower()
        checks.that(VM_ID_OTHER, same, known.vm_id, claimed.vm_id)
    if key is not None and said_key is not None:
        same = hmac.compare_digest(key, said_key)
        told = hostkey.fingerprint(said_key)
        checks.that(HOST_KEY_OTHER, same, hostkey.fingerprint(key), told)
    return Identity(known.vm_id or claimed.vm_id, key or said_key)


def _makers(said: object) -> str | None:
    return None if said is None else MAKERS_WORD
