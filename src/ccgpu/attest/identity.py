"""The identity that evidence must have: the vmId and SSH host key that the caller knows.

Evidence cannot prove that it is of the VM that was meant. If its own vmId and host key were taken,
any genuine VM could answer for another one. They replace the caller's only if the policy says
`unsafe_trust_bundle_…`, and the verdict then lists that.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime

from ccgpu.attest.check import Checks, Rule
from ccgpu.domain import hostkey
from ccgpu.domain.evidence import UnverifiedContext
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

ONLY_MAKERS_WORD = "only the word of the evidence's maker"


@dataclass(frozen=True, slots=True)
class CallerContext:
    """What the caller knows of the challenge, from its options or its own record.

    `nonce`: as it was sent. `vm_id`: ARM's vmId. `host_key`: SHA-256 of the pinned key's blob (32
    bytes). `sent_at`: when this machine recorded that it sent the challenge. `answers_earlier`:
    whether the evidence names another nonce, which this machine has sent before.
    """

    nonce: bytes | None = None
    vm_id: str | None = None
    host_key: bytes | None = None
    sent_at: datetime | None = None
    answers_earlier: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """vmId and host key (SHA-256, 32 bytes) that evidence must have; None if nobody names one."""

    vm_id: str | None
    host_key: bytes | None


def resolve_identity(
    claimed: UnverifiedContext, caller: CallerContext, policy: Policy, checks: Checks
) -> Identity:
    """The caller's identity, else the maker's; a policy with a binding demands the caller's."""
    claimed_key = hostkey.sha256(claimed.host_key) if claimed.host_key else None
    key, claimed_host_key = caller.host_key, claimed_key
    if policy.binding == "ccgpu-bind-v1":
        trusted = policy.unsafe_trust_bundle_identity
        has_id, has_key = caller.vm_id is not None, key is not None
        checks.record(
            VM_ID_UNKNOWN, has_id or trusted, "a vmId", caller.vm_id or _makers_word(claimed.vm_id)
        )
        shown = hostkey.fingerprint(key) if key else _makers_word(claimed_host_key)
        checks.record(HOST_KEY_UNKNOWN, has_key or trusted, "an SSH host key", shown)
    if caller.vm_id is not None and claimed.vm_id is not None:
        same = caller.vm_id.lower() == claimed.vm_id.lower()
        checks.record(VM_ID_OTHER, same, caller.vm_id, claimed.vm_id)
    if key is not None and claimed_host_key is not None:
        same = hmac.compare_digest(key, claimed_host_key)
        claimed_fingerprint = hostkey.fingerprint(claimed_host_key)
        checks.record(HOST_KEY_OTHER, same, hostkey.fingerprint(key), claimed_fingerprint)
    return Identity(caller.vm_id or claimed.vm_id, key or claimed_host_key)


def _makers_word(claimed: object) -> str | None:
    return None if claimed is None else ONLY_MAKERS_WORD
