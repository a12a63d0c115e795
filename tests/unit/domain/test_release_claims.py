"""The policy for a VM's claims: met by them, and by no weaker ones."""

from dataclasses import replace
from typing import Any

import pytest

from ccgpu.domain.release_answer import GUEST_PREFIX, TokenClaims, explain
from ccgpu.domain.release_claims import (
    ReportedVm,
    TokenKind,
    UnfitClaims,
    WantedPolicy,
    expected_claims,
    kind_of_token,
    not_demanded,
    policy_for,
)
from ccgpu.domain.release_policy import ClaimCondition, ConditionGroup, ReleasePolicy

_ISSUER = "https://sharedweu.weu.attest.azure.net"
VM = ReportedVm(
    vm_id="2dedc52a-0000-4000-8000-00000000000A",
    secure_boot=True,
    measurement="22" * 48,
    id_key_digest="33" * 48,
    host_data="00" * 32,
    guest_svn=0x1000D,
    vmpl=0,
    debug=False,
    migration=False,
    smt=True,
)


def _made(kind, **wanted):
    return policy_for(expected_claims(VM, kind, _ISSUER), WantedPolicy(kind, **wanted), _ISSUER)


def _names(policy):
    (authority,) = policy.authorities
    return [one.claim for one in authority.group.conditions]


@pytest.mark.parametrize("kind", TokenKind)
@pytest.mark.parametrize("pin", [False, True])
def test_the_policy_is_met_by_the_claims_it_was_written_for(kind, pin):
    claims = expected_claims(VM, kind, _ISSUER)
    assert explain(_made(kind, measurement=pin), TokenClaims(claims)).met is True


@pytest.mark.parametrize("kind", TokenKind)
def test_the_policy_is_not_met_by_the_other_kind_of_token(kind):
    (other,) = set(TokenKind) - {kind}
    answer = explain(_made(kind), TokenClaims(expected_claims(VM, other, _ISSUER)))
    assert answer.met is False
    assert any(clause.hint for clause in answer.authorities[0].clauses)


@pytest.mark.parametrize("kind", TokenKind)
@pytest.mark.parametrize(
    "change",
    [
        {"vm_id": "2dedc52a-0000-4000-8000-00000000000b"},
        {"secure_boot": False},
        {"measurement": "23" * 48},
        {"id_key_digest": "34" * 48},
        {"host_data": "01" * 32},
        {"vmpl": 1},
        {"debug": True},
        {"migration": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_vm_that_differs_does_not_get_the_key(kind, change):
    other = expected_claims(replace(VM, **change), kind, _ISSUER)
    assert explain(_made(kind, measurement=True), TokenClaims(other)).met is False


@pytest.mark.parametrize("kind", TokenKind)
def test_the_measurement_and_the_vm_bind_only_if_asked_for(kind):
    other = replace(VM, measurement="23" * 48)
    claims = expected_claims(other, kind, _ISSUER)
    assert explain(_made(kind), TokenClaims(claims)).met is True
    claims = expected_claims(replace(other, vm_id="x"), kind, _ISSUER)
    assert explain(_made(kind, any_vm=True), TokenClaims(claims)).met is True
    assert explain(_made(kind), TokenClaims(claims)).met is False


def test_a_guests_claims_are_below_the_prefix_but_for_two():
    names = _names(_made(TokenKind.GUEST, measurement=True))
    bare = [name for name in names if not name.startswith(f"{GUEST_PREFIX}.")]
    assert bare == ["secureboot", "x-ms-azurevm-vmid"]
    assert not any(GUEST_PREFIX in name for name in _names(_made(TokenKind.PLATFORM)))


def test_the_id_of_the_vm_is_spelled_as_the_tokens_spell_it():
    """Key Vault compares letter by letter: the paravisor's spelling, and upper case."""
    conditions = _made(TokenKind.GUEST).authorities[0].group.conditions
    values = {one.claim: one.equals for one in conditions}
    assert values["x-ms-azurevm-vmid"] == VM.vm_id.upper()
    below = f"{GUEST_PREFIX}.x-ms-runtime.vm-configuration.vmUniqueId"
    assert values[below] == VM.vm_id


@pytest.mark.parametrize("change", ["secure_boot", "debug", "migration"])
def test_no_policy_is_written_that_allows_what_none_should(change):
    changed: dict[str, Any] = {change: not getattr(VM, change)}
    bad = replace(VM, **changed)
    with pytest.raises(UnfitClaims, match="writes no policy"):
        policy_for(expected_claims(bad, TokenKind.GUEST, _ISSUER), WantedPolicy(), _ISSUER)


def test_a_claim_that_is_missing_or_of_another_type_is_named():
    claims = expected_claims(VM, TokenKind.GUEST, _ISSUER)
    del claims[GUEST_PREFIX]["x-ms-sevsnpvm-idkeydigest"]
    with pytest.raises(UnfitClaims, match="x-ms-sevsnpvm-idkeydigest is not among"):
        policy_for(claims, WantedPolicy(), _ISSUER)
    claims = expected_claims(VM, TokenKind.GUEST, _ISSUER) | {"secureboot": 1}
    with pytest.raises(UnfitClaims, match="secureboot is 1"):
        policy_for(claims, WantedPolicy(), _ISSUER)


def test_the_kind_of_a_token_is_told_by_its_claims():
    for kind in TokenKind:
        claims = expected_claims(VM, kind, _ISSUER)
        assert kind_of_token(claims) is kind
        (other,) = set(TokenKind) - {kind}
        with pytest.raises(UnfitClaims, match=f"not those of a {other.value}'s token"):
            policy_for(claims, WantedPolicy(other), _ISSUER)


@pytest.mark.parametrize("kind", TokenKind)
def test_our_policies_leave_nothing_undemanded(kind):
    assert not_demanded(_made(kind, any_vm=True)) == ()


def test_what_a_policy_of_others_does_not_demand_is_named():
    (authority,) = _made(TokenKind.GUEST).authorities
    either = ConditionGroup("anyOf", (authority.group, ClaimCondition("x-ms-ver", "1.0")))
    no_debug = tuple(
        replace(one, equals=1) if one.claim.endswith("is-debuggable") else one
        for one in authority.group.conditions
    )

    def left(group: ConditionGroup) -> tuple[str, ...]:
        return not_demanded(ReleasePolicy((replace(authority, group=group), authority)))

    assert len(left(either)) == 6
    assert left(ConditionGroup("allOf", (either, authority.group))) == ()
    assert left(ConditionGroup("allOf", no_debug)) == ("x-ms-sevsnpvm-is-debuggable false",)
