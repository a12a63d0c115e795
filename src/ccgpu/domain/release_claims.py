"""The claims of Microsoft's tokens that a release policy asks for: expected ones, and the policy.

There are two kinds of tokens. That of a guest (made by a client in the VM, from a quote of the
vTPM) has what the hardware reports below `x-ms-isolation-tee`. That of a platform (made by Azure,
for disks that are encrypted with a customer's key) has it at the top. A policy for one kind is
never met by the other.

Source: Microsoft Learn, "Azure Attestation claim sets" and "Examples of an attestation token".
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from ccgpu.domain.release_answer import GUEST_PREFIX, is_equal, is_guest_token
from ccgpu.domain.release_policy import (
    AuthorityConditions,
    ClaimCondition,
    ClaimValue,
    ConditionGroup,
    ReleaseCondition,
    ReleasePolicy,
)

_CONFIGURATION = "x-ms-runtime.vm-configuration"
_TYPE, _STATUS = "x-ms-attestation-type", "x-ms-compliance-status"
_DEBUG, _MIGRATION = "x-ms-sevsnpvm-is-debuggable", "x-ms-sevsnpvm-migration-allowed"
_ID_KEY, _HOST_DATA = "x-ms-sevsnpvm-idkeydigest", "x-ms-sevsnpvm-hostdata"
_MEASUREMENT = "x-ms-sevsnpvm-launchmeasurement"
_VM_ID, _SECURE_BOOT = f"{_CONFIGURATION}.vmUniqueId", f"{_CONFIGURATION}.secure-boot"
# Claims at the top of a guest's token alone.
_GUEST_VM_ID, _GUEST_SECURE_BOOT = "x-ms-azurevm-vmid", "secureboot"

# What every policy asks for, and no other value will do.
_REQUIRED: Mapping[str, ClaimValue] = {
    _TYPE: "sevsnpvm",
    _STATUS: "azure-compliant-cvm",
    _DEBUG: False,
    _MIGRATION: False,
    "x-ms-sevsnpvm-vmpl": 0,
    _SECURE_BOOT: True,
}


class TokenKind(StrEnum):
    """Whose token a release is asked for with."""

    GUEST = "guest"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class ReportedVm:
    """What verified evidence states of a VM. Digests are lower-case hex.

    vm_id: vmUniqueId, as the paravisor spells it. A confidential VM's report has no others of these
    values: the verdict refuses debugging, a migration agent, and any VMPL but 0.
    """

    vm_id: str
    secure_boot: bool
    measurement: str
    id_key_digest: str
    host_data: str
    guest_svn: int
    vmpl: int
    debug: bool
    migration: bool
    smt: bool


@dataclass(frozen=True, slots=True)
class WantedPolicy:
    """What a policy is bound to besides what every policy asks for.

    any_vm: to no one VM. measurement: to this launch measurement, which Microsoft's updates change.
    """

    kind: TokenKind = TokenKind.GUEST
    any_vm: bool = False
    measurement: bool = False


class UnfitClaims(ValueError):
    """No policy can be written for these claims; the text says which claim, and why."""


def expected_claims(vm: ReportedVm, kind: TokenKind, issuer: str) -> dict[str, Any]:
    """The claims that we expect of this VM's token; those that we cannot know are left out.

    That the VM is compliant is Microsoft's to say, and only expected here.
    """
    reported: dict[str, Any] = {
        _TYPE: "sevsnpvm",
        _STATUS: "azure-compliant-cvm",
        _DEBUG: vm.debug,
        _MIGRATION: vm.migration,
        "x-ms-sevsnpvm-vmpl": vm.vmpl,
        "x-ms-sevsnpvm-guestsvn": vm.guest_svn,
        "x-ms-sevsnpvm-smt-allowed": vm.smt,
        _MEASUREMENT: vm.measurement,
        _ID_KEY: vm.id_key_digest,
        _HOST_DATA: vm.host_data,
        "x-ms-runtime": {
            "vm-configuration": {"secure-boot": vm.secure_boot, "vmUniqueId": vm.vm_id}
        },
    }
    if kind is TokenKind.PLATFORM:
        return {"iss": issuer, **reported}
    return {
        "iss": issuer,
        _TYPE: "azurevm",
        _GUEST_SECURE_BOOT: vm.secure_boot,
        _GUEST_VM_ID: vm.vm_id.upper(),  # as in every token that is published
        GUEST_PREFIX: reported,
    }


def kind_of_token(claims: Mapping[str, object]) -> TokenKind:
    """The kind of the token with these claims."""
    return TokenKind.GUEST if is_guest_token(claims) else TokenKind.PLATFORM


def policy_for(claims: Mapping[str, object], wanted: WantedPolicy, authority: str) -> ReleasePolicy:
    """The policy under which a token with these claims, and no weaker one, gets the key.

    Raises:
        UnfitClaims: A claim that the policy needs is absent, or has a value that no policy allows.
    """
    if kind_of_token(claims) is not wanted.kind:
        raise UnfitClaims(f"the claims are not those of a {wanted.kind.value}'s token")
    reported = claims.get(GUEST_PREFIX) if wanted.kind is TokenKind.GUEST else claims
    names = [*_REQUIRED, _ID_KEY, _HOST_DATA]
    names += [] if wanted.any_vm else [_VM_ID]
    names += [_MEASUREMENT] if wanted.measurement else []
    conditions = [_condition(reported, name) for name in names]
    if wanted.kind is TokenKind.GUEST:
        below = [replace(one, claim=f"{GUEST_PREFIX}.{one.claim}") for one in conditions]
        conditions = [*below, _allowed(ClaimCondition(_GUEST_SECURE_BOOT, equals=True), claims)]
        if not wanted.any_vm:
            conditions.append(_condition(claims, _GUEST_VM_ID))
    return ReleasePolicy(
        (AuthorityConditions(authority, ConditionGroup("allOf", tuple(conditions))),)
    )


def not_demanded(policy: ReleasePolicy) -> tuple[str, ...]:
    """The conditions that every policy of ours has, and a token need not meet to get the key.

    Each in words, as in `x-ms-sevsnpvm-vmpl 0`; of a guest's token, that below its prefix will do.
    """
    left = []
    for claim, value in _REQUIRED.items():
        names = (claim, f"{GUEST_PREFIX}.{claim}")
        if not all(_demands(one.group, names, value) for one in policy.authorities):
            left.append(f"{claim} {json.dumps(value)}")
    return tuple(left)


def _demands(condition: ReleaseCondition, names: Collection[str], value: ClaimValue) -> bool:
    """Whether the condition is met by no token without this value of one of these claims."""
    if isinstance(condition, ClaimCondition):
        return condition.claim in names and is_equal(value, condition.equals)
    demands = (_demands(one, names, value) for one in condition.conditions)
    return any(demands) if condition.word == "allOf" else all(demands)


def _condition(claims: object, name: str) -> ClaimCondition:
    """The condition on a claim: the value that every policy asks for, else the claim's own."""
    if name in _REQUIRED:
        return _allowed(ClaimCondition(name, _REQUIRED[name]), claims)
    value = _find(claims, name)
    if not isinstance(value, str) or not value:
        raise UnfitClaims(f"{name} is not among the claims")
    return ClaimCondition(name, value)


def _allowed(condition: ClaimCondition, claims: object) -> ClaimCondition:
    """The condition, if the claims meet it; else no key would be released, or a policy be weak."""
    value = _find(claims, condition.claim)
    if value != condition.equals or type(value) is not type(condition.equals):
        raise UnfitClaims(
            f"{condition.claim} is {value!r}, and ccgpu writes no policy that allows anything but "
            f"{condition.equals!r}"
        )
    return condition


def _find(claims: object, name: str) -> object:
    value: object = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
