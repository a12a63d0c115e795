"""Tokens of NVIDIA's and Microsoft's attestation services: verified in addition to the evidence.

A token never replaces a check of the evidence. It is verified with a key set that the caller
gives; one that comes with the token would let anybody sign.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ccgpu.attest import appraisal
from ccgpu.attest.check import Checks, Rule, Verified
from ccgpu.attest.vm_identity import VmIdentity
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.policy import Policy

if TYPE_CHECKING:
    from ccgpu.attest.gpu.spdm import GpuReport

NRAS_ABSENT = Rule("evidence.nras.absent", "there is NVIDIA's token", "the policy, require_nras")
MAA_ABSENT = Rule("evidence.maa.absent", "there is Microsoft's token", "the policy, require_maa")


@dataclass(frozen=True, slots=True)
class LocalFindings:
    """What was verified here, to compare tokens with.

    `nonce`, `gpu_nonce`: what the VM and its GPUs had to answer. `gpus`: verified reports by ueid.
    `vm_id`: the caller's vmId, else the vmUniqueId of verified claims, else the maker's. `vm`: what
    the verified report and claims state.
    """

    nonce: bytes | None
    gpu_nonce: bytes | None
    gpus: "Mapping[str, Verified[GpuReport]]"
    vm_id: str | None
    vm: VmIdentity | None = None


@dataclass(frozen=True, slots=True)
class TokenKeySets:
    """The key sets that the caller gives (JWKS, RFC 7517), as JSON."""

    nras: bytes | None = None
    maa: bytes | None = None


def verify(
    evidence: Evidence,
    policy: Policy,
    keys: TokenKeySets,
    local: LocalFindings,
    at: datetime,
    checks: Checks,
) -> Sequence[str]:
    """Check each token that is given or required.

    Returns one line for each token of which claims were not compared with the evidence.
    """
    demanded, given = policy.tokens, evidence.tokens
    nras = _checkable(given.nras, keys.nras, NRAS_ABSENT, demanded.require_nras, checks)
    if nras is not None:
        _verify_nras(*nras, policy, local, at, checks)
    maa = _checkable(given.maa, keys.maa, MAA_ABSENT, demanded.require_maa, checks)
    return () if maa is None else _verify_maa(*maa, policy, local, at, checks)


def _checkable(
    token: bytes | None, keys: bytes | None, absent: Rule, required: bool, checks: Checks
) -> tuple[bytes, bytes] | None:
    """Token and key set, if both are given; if the token is required, each is a check."""
    if required:
        there = token is not None
        checks.record(absent, there, "a token", "a token" if there else None)
        if there:
            given = keys is not None
            checks.record(appraisal.JWKS_ABSENT, given, "a JWKS", "a JWKS" if given else None)
    return None if token is None or keys is None else (token, keys)


def _verify_nras(
    token: bytes, keys: bytes, policy: Policy, local: LocalFindings, at: datetime, checks: Checks
) -> None:
    from ccgpu.attest.tokens import nras

    known = {
        ueid: nras.GpuVersions(each.value.opaque.driver_version, each.value.opaque.vbios_version)
        for ueid, each in local.gpus.items()
    }
    nras.verify(
        token,
        keys,
        at,
        checks,
        nonce=local.gpu_nonce or b"",
        issuers=policy.tokens.nras_issuers,
        gpus=policy.gpu.count if policy.gpu is not None else 1,
        evidence=known or None,
    )


def _verify_maa(
    token: bytes, keys: bytes, policy: Policy, local: LocalFindings, at: datetime, checks: Checks
) -> Sequence[str]:
    from ccgpu.attest.tokens import maa

    claims = maa.verify(
        token,
        keys,
        at,
        checks,
        issuers=policy.tokens.maa_issuers,
        nonce=local.nonce or b"",
        vm_id=local.vm_id,
        evidence=local.vm,
    )
    if not claims.value.not_compared:
        return ()
    listed = ", ".join(claims.value.not_compared)
    return (f"Microsoft's token: not compared with the evidence: {listed}",)
