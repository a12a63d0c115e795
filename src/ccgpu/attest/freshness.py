"""Whether evidence answers *this* question: which nonce was sent, and how it had to come back.

The caller's nonce is proof; the one that came with the evidence is its maker's word, and still has
to be there, long enough, and in the quote. A policy that asks for the binding refuses it.
"""

import hmac
from dataclasses import dataclass
from typing import Final

from ccgpu.attest import binding
from ccgpu.attest.check import Checks, Outcome, Rule
from ccgpu.attest.hcl.claims import Claims
from ccgpu.attest.identity import MAKERS_WORD, Identity, Known, settle
from ccgpu.domain import hostkey
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.policy import Policy

_BOUND: Final = "ccgpu-bind-v1"
NONCE_BYTES = 32  # RFC 9334, §10: long enough that nobody asks the same twice

NONCE_ABSENT = Rule("freshness.nonce.absent", "there is a nonce to compare with", "RFC 9334, §10.2")
NONCE_UNKNOWN = Rule(
    "freshness.nonce.unknown", "the caller knows the nonce that was sent", "RFC 9334, §10.2"
)
NONCE_OTHER = Rule(
    "freshness.nonce.other",
    "the nonce of the evidence is the one that was asked with",
    "RFC 9334, §10.2",
)
NONCE_SHORT = Rule(
    "freshness.nonce.short", "the nonce is 32 bytes or more", "RFC 9334, §10.2; BSI TR-02102-1"
)
BINDING_KIND = Rule(
    "binding.kind", "the evidence is bound to VM and connection", "ccgpu-bind-v1, docs/trust.md"
)
HOST_KEY_ABSENT = Rule(
    "binding.host-key.absent", "the pinned SSH host key is known", "ccgpu-bind-v1, docs/trust.md"
)
VM_ID_ABSENT = Rule("binding.vm-id.absent", "ARM's vmId is known", "ccgpu-bind-v1, docs/trust.md")
NONCE_SIZE = Rule(
    "binding.nonce.size", "a bound nonce is exactly 32 bytes", "ccgpu-bind-v1, docs/trust.md"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked: the nonce, and for bound evidence the binding B (64 bytes).

    `vm_id`: the vmUniqueId that the claims must have; None where evidence need not be of one VM.
    `host_key`: SHA-256 of the host key in B.
    """

    nonce: bytes | None
    bound: bytes | None
    vm_id: str | None = None
    host_key: bytes | None = None


def asked(found: Evidence, known: Known, policy: Policy, checks: Checks) -> Asked:
    """What the evidence has to answer, from what the caller knows or else the maker's word."""
    nonce = _nonce(found, known, policy, checks)
    identity = settle(found.claimed, known, policy, checks)
    wanted = policy.binding == _BOUND or known.host_key is not None
    if wanted:
        checks.equal(BINDING_KIND, _BOUND, found.claimed.binding)
    if not wanted and found.claimed.binding != _BOUND:
        return Asked(nonce, None, known.vm_id)
    bound = _bound(found.claimed.recipient_key, nonce or b"", identity, checks)
    return Asked(nonce, bound, identity.vm_id, identity.host_key)


def _nonce(found: Evidence, known: Known, policy: Policy, checks: Checks) -> bytes | None:
    """The caller's nonce, else the one in the evidence; None where there is none."""
    of_gpu = next((gpu.nonce for gpu in found.gpus if gpu.nonce), None)
    makers = found.claimed.nonce or of_gpu
    nonce = makers if known.nonce is None else known.nonce
    there = checks.that(NONCE_ABSENT, bool(nonce), "a nonce", nonce)
    if policy.binding == _BOUND:
        mine = known.nonce is not None or policy.unsafe_trust_bundle_nonce
        checks.that(NONCE_UNKNOWN, mine, "a nonce", known.nonce or (MAKERS_WORD if there else None))
    if not nonce:
        return None
    if known.nonce is not None and found.claimed.nonce is not None:
        same = hmac.compare_digest(known.nonce, found.claimed.nonce)
        checks.that(NONCE_OTHER, same, known.nonce, found.claimed.nonce)
    enough = len(nonce) >= NONCE_BYTES or policy.unsafe_short_nonce
    least = (
        "1 byte or more (unsafe)" if policy.unsafe_short_nonce else f"{NONCE_BYTES} bytes or more"
    )
    checks.that(NONCE_SHORT, enough, least, f"{len(nonce)} bytes")
    return nonce


def _bound(recipient_key: bytes, nonce: bytes, identity: Identity, checks: Checks) -> bytes | None:
    """B; None where a part of it is missing."""
    vm_id, key = identity.vm_id, identity.host_key
    shown = None if key is None else hostkey.fingerprint(key)
    size = checks.that(NONCE_SIZE, len(nonce) == NONCE_BYTES, "32 bytes", f"{len(nonce)} bytes")
    checks.that(HOST_KEY_ABSENT, key is not None, "a host key", shown)
    checks.that(VM_ID_ABSENT, vm_id is not None, "a GUID", vm_id)
    if not size or key is None or vm_id is None:
        return None
    return binding.binding_of_digest(nonce, key, recipient_key, vm_id)


def gpu_nonce(asked: Asked, claims: Outcome[Claims] | None) -> bytes | None:
    """What a GPU was asked with: the nonce, or what bound evidence makes of it and the AK."""
    if asked.bound is None:
        return asked.nonce
    return None if claims is None else binding.gpu_nonce(asked.bound, claims.value.ak_modulus)
