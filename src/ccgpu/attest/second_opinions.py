"""Tokens of NVIDIA's and Microsoft's services: checked where given, never in place of a verdict.

A token is checked with a key set that the caller brings: one that came with the token would prove
that somebody can sign.
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
    from ccgpu.attest.gpu.spdm import Report

NRAS_ABSENT = Rule("evidence.nras.absent", "there is NVIDIA's token", "the policy, require_nras")
MAA_ABSENT = Rule("evidence.maa.absent", "there is Microsoft's token", "the policy, require_maa")


@dataclass(frozen=True, slots=True)
class Local:
    """What the local verdict found, to compare with.

    `nonce`: what the VM was asked with; `gpu_nonce`: what its GPUs were. `gpus`: believed reports,
    by ueid. `vm_id`: ARM's, or else the vmUniqueId of believed claims. `vm`: what a believed report
    and believed claims say of the VM.
    """

    nonce: bytes | None
    gpu_nonce: bytes | None
    gpus: "Mapping[str, Verified[Report]]"
    vm_id: str | None
    vm: VmIdentity | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """The key sets that the caller brings (JWKS)."""

    nras: bytes | None = None
    maa: bytes | None = None


def check(
    found: Evidence, policy: Policy, keys: Keys, local: Local, at: datetime, checks: Checks
) -> Sequence[str]:
    """Make every check on the tokens that are there, or have to be; says what none compares."""
    if _can_be_checked(
        found.tokens.nras, keys.nras, NRAS_ABSENT, policy.tokens.require_nras, checks
    ):
        _nras(found.tokens.nras or b"", keys.nras or b"", policy, local, at, checks)
    if _can_be_checked(found.tokens.maa, keys.maa, MAA_ABSENT, policy.tokens.require_maa, checks):
        return _maa(found.tokens.maa or b"", keys.maa or b"", policy, local, at, checks)
    return ()


def _can_be_checked(
    token: bytes | None, keys: bytes | None, absent: Rule, required: bool, checks: Checks
) -> bool:
    """Whether token and keys are there; where one has to be and is not, that is a refusal."""
    if required:
        checks.that(absent, token is not None, "a token", "a token" if token else None)
        if token is not None:
            there = keys is not None
            checks.that(appraisal.JWKS_ABSENT, there, "a JWKS", "a JWKS" if there else None)
    return token is not None and keys is not None


def _nras(
    token: bytes, keys: bytes, policy: Policy, local: Local, at: datetime, checks: Checks
) -> None:
    from ccgpu.attest.tokens import nras

    known = {
        ueid: nras.GpuIdentity(each.value.opaque.driver_version, each.value.opaque.vbios_version)
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


def _maa(
    token: bytes, keys: bytes, policy: Policy, local: Local, at: datetime, checks: Checks
) -> Sequence[str]:
    from ccgpu.attest.tokens import maa

    found = maa.verify(
        token,
        keys,
        at,
        checks,
        issuers=policy.tokens.maa_issuers,
        nonce=local.nonce or b"",
        vm_id=local.vm_id,
        evidence=local.vm,
    )
    if not found.value.not_compared:
        return ()
    listed = ", ".join(found.value.not_compared)
    return (f"Microsoft's token: not compared with the evidence: {listed}",)
