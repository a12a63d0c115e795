"""Whether evidence answers *this* question: which nonce was sent, and how it had to come back.

The caller's nonce is proof; the one that came with the evidence is its maker's word, and still has
to be there, long enough, and in the quote.
"""

import hmac
from dataclasses import dataclass

from ccgpu.attest import binding
from ccgpu.attest.check import Checks, Outcome, Rule
from ccgpu.attest.hcl.claims import Claims
from ccgpu.domain.evidence import Claimed, Evidence
from ccgpu.domain.policy import Policy

NONCE_BYTES = 32  # RFC 9334, §10: long enough that nobody asks the same twice

NONCE_ABSENT = Rule("freshness.nonce.absent", "there is a nonce to compare with", "RFC 9334, §10.2")
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
    """What was asked: the nonce, and for bound evidence the binding B (64 bytes)."""

    nonce: bytes | None
    bound: bytes | None


def asked(found: Evidence, given: bytes | None, policy: Policy, checks: Checks) -> Asked:
    """What the evidence has to answer, from the caller's nonce or else the maker's word."""
    claimed = found.claimed
    of_gpu = next((gpu.nonce for gpu in found.gpus if gpu.nonce), None)
    nonce = given if given is not None else claimed.nonce or of_gpu
    if not checks.that(NONCE_ABSENT, bool(nonce), "a nonce", nonce or None) or not nonce:
        return Asked(None, None)
    if given is not None and claimed.nonce is not None:
        same = hmac.compare_digest(given, claimed.nonce)
        checks.that(NONCE_OTHER, same, given, claimed.nonce)
    enough = len(nonce) >= NONCE_BYTES or policy.unsafe_short_nonce
    least = (
        "1 byte or more (unsafe)" if policy.unsafe_short_nonce else f"{NONCE_BYTES} bytes or more"
    )
    checks.that(NONCE_SHORT, enough, least, f"{len(nonce)} bytes")
    return Asked(nonce, _bound(claimed, nonce, policy, checks))


def _bound(claimed: Claimed, nonce: bytes, policy: Policy, checks: Checks) -> bytes | None:
    """B, where evidence is bound or has to be; None where a part of it is missing."""
    if policy.binding == "ccgpu-bind-v1":
        checks.equal(BINDING_KIND, policy.binding, claimed.binding)
    elif claimed.binding != "ccgpu-bind-v1":
        return None
    size = checks.that(NONCE_SIZE, len(nonce) == NONCE_BYTES, "32 bytes", f"{len(nonce)} bytes")
    key = checks.that(HOST_KEY_ABSENT, bool(claimed.host_key), "a host key", claimed.host_key)
    vm = checks.that(VM_ID_ABSENT, bool(claimed.vm_id), "a GUID", claimed.vm_id)
    if not (size and key and vm) or claimed.host_key is None or claimed.vm_id is None:
        return None
    return binding.binding(nonce, claimed.host_key, claimed.recipient_key, claimed.vm_id)


def gpu_nonce(asked: Asked, claims: Outcome[Claims] | None) -> bytes | None:
    """What a GPU was asked with: the nonce, or what bound evidence makes of it and the AK."""
    if asked.bound is None:
        return asked.nonce
    return None if claims is None else binding.gpu_nonce(asked.bound, claims.value.ak_modulus)
