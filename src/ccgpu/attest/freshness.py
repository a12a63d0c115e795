"""Freshness: the challenge that the evidence has to answer.

A nonce that the caller knows proves freshness. One that only came with the evidence is its maker's
word: it must be present, long enough and in the quote, and a policy with a binding refuses it.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ccgpu.attest import binding
from ccgpu.attest.check import Checks, Outcome, Rule, format_value
from ccgpu.attest.hcl.claims import RuntimeClaims
from ccgpu.attest.identity import ONLY_MAKERS_WORD, CallerContext, Identity, resolve_identity
from ccgpu.domain import hostkey
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.policy import Policy

_BIND_V1: Final = "ccgpu-bind-v1"
NONCE_BYTES = 32  # RFC 9334, §10: long enough never to repeat

NONCE_ABSENT = Rule("freshness.nonce.absent", "there is a nonce to compare with", "RFC 9334, §10.2")
NONCE_UNKNOWN = Rule(
    "freshness.nonce.unknown", "the caller knows the nonce that was sent", "RFC 9334, §10.2"
)
NONCE_OTHER = Rule(
    "freshness.nonce.other",
    "the nonce of the evidence is the one that was asked with",
    "RFC 9334, §10.2",
)
# What is known of a nonce that is another one: recorded beside `NONCE_OTHER`, as failures alone.
NONCE_LENGTH = Rule(
    "freshness.nonce.length",
    "the nonce of the evidence is as long as the one that was asked with",
    "RFC 9334, §10.2",
)
NONCE_PREFIX = Rule(
    "freshness.nonce.prefix",
    "the nonce of the evidence does not only begin as the one that was asked with",
    "RFC 9334, §10.2",
)
NONCE_EARLIER = Rule(
    "freshness.nonce.earlier",
    "the evidence does not answer an earlier challenge of this machine",
    "RFC 9334, §10.2",
)
CHALLENGE_FUTURE = Rule(
    "freshness.challenge.future",
    "the challenge was sent before the time of the verdict",
    "RFC 9334, §10.2",
)
_COMMON_PREFIX = 8  # bytes that no two random nonces have in common
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
class Challenge:
    """What the evidence has to answer.

    `nonce`: as it was sent. `binding`: B of ccgpu-bind-v1 (64 bytes); None for a bare nonce.
    `vm_id`: the vmUniqueId that the claims must have; None if evidence of any VM will do.
    `host_key`: SHA-256 of the host key in B (32 bytes).
    """

    nonce: bytes | None
    binding: bytes | None
    vm_id: str | None = None
    host_key: bytes | None = None


def build_challenge(
    evidence: Evidence, caller: CallerContext, policy: Policy, checks: Checks
) -> Challenge:
    """The challenge, of the caller's values where it knows them, else of the maker's."""
    nonce = _nonce(evidence, caller, policy, checks)
    identity = resolve_identity(evidence.claimed, caller, policy, checks)
    wanted = policy.binding == _BIND_V1 or caller.host_key is not None
    if wanted:
        checks.record_equal(BINDING_KIND, _BIND_V1, evidence.claimed.binding)
    if not wanted and evidence.claimed.binding != _BIND_V1:
        return Challenge(nonce, None, caller.vm_id)
    bound = _binding(evidence.claimed.recipient_key, nonce or b"", identity, checks)
    return Challenge(nonce, bound, identity.vm_id, identity.host_key)


def check_sent_before(sent: datetime | None, at: datetime, checks: Checks) -> None:
    """Refuse a challenge of this machine that is of the future. A failure alone is recorded.

    The checks that hold are the same on a machine that did not send it. A verdict tells its time in
    whole seconds, and may be repeated for that.
    """
    if sent is not None and sent.replace(microsecond=0) > at:
        checks.record(CHALLENGE_FUTURE, False, f"by {format_value(at)}", sent)


def _nonce(
    evidence: Evidence, caller: CallerContext, policy: Policy, checks: Checks
) -> bytes | None:
    """The caller's nonce, else the one in the evidence; None if there is neither."""
    of_gpu = next((gpu.nonce for gpu in evidence.gpus if gpu.nonce), None)
    claimed = evidence.claimed.nonce or of_gpu
    nonce = claimed if caller.nonce is None else caller.nonce
    there = checks.record(NONCE_ABSENT, bool(nonce), "a nonce", nonce)
    if policy.binding == _BIND_V1:
        mine = caller.nonce is not None or policy.unsafe_trust_bundle_nonce
        checks.record(
            NONCE_UNKNOWN, mine, "a nonce", caller.nonce or (ONLY_MAKERS_WORD if there else None)
        )
    if not nonce:
        return None
    if caller.nonce is not None and evidence.claimed.nonce is not None:
        same = hmac.compare_digest(caller.nonce, evidence.claimed.nonce)
        checks.record(NONCE_OTHER, same, caller.nonce, evidence.claimed.nonce)
        if not same:
            _explain_other(evidence.claimed.nonce, caller.nonce, caller.answers_earlier, checks)
    enough = len(nonce) >= NONCE_BYTES or policy.unsafe_short_nonce
    least = (
        "1 byte or more (unsafe)" if policy.unsafe_short_nonce else f"{NONCE_BYTES} bytes or more"
    )
    checks.record(NONCE_SHORT, enough, least, f"{len(nonce)} bytes")
    return nonce


def _explain_other(claimed: bytes, asked: bytes, earlier: bool, checks: Checks) -> None:
    """Record why a nonce is not the one that was asked with, as far as that can be told."""
    if len(claimed) != len(asked):
        checks.record(NONCE_LENGTH, False, f"{len(asked)} bytes", f"{len(claimed)} bytes")
    elif claimed[:_COMMON_PREFIX] == asked[:_COMMON_PREFIX]:
        checks.record(NONCE_PREFIX, False, asked, claimed)
    if earlier:
        checks.record(NONCE_EARLIER, False, asked, claimed)


def _binding(
    recipient_key: bytes, nonce: bytes, identity: Identity, checks: Checks
) -> bytes | None:
    """B (64 bytes); None if a part of it is missing."""
    vm_id, key = identity.vm_id, identity.host_key
    shown = None if key is None else hostkey.fingerprint(key)
    size = checks.record(NONCE_SIZE, len(nonce) == NONCE_BYTES, "32 bytes", f"{len(nonce)} bytes")
    checks.record(HOST_KEY_ABSENT, key is not None, "a host key", shown)
    checks.record(VM_ID_ABSENT, vm_id is not None, "a GUID", vm_id)
    if not size or key is None or vm_id is None:
        return None
    return binding.binding_of_digest(nonce, key, recipient_key, vm_id)


def gpu_nonce(challenge: Challenge, claims: Outcome[RuntimeClaims] | None) -> bytes | None:
    """The nonce that a GPU must answer: the challenge's, or 32 bytes derived from B and the AK."""
    if challenge.binding is None:
        return challenge.nonce
    return None if claims is None else binding.gpu_nonce(challenge.binding, claims.value.ak_modulus)
