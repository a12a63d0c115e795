"""Microsoft's token is of the report that was verified here, in every claim that both have."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest

from ccgpu.attest.check import Checks, Unverified, Verified
from ccgpu.attest.tokens import maa, maa_report_match
from ccgpu.attest.tokens.jws import Jws
from ccgpu.attest.vm_identity import VmIdentity
from ccgpu.fakeguest.evidence import tokens
from unit.attest.tokens.conftest import AT, NONCE

VM = VmIdentity(
    report_id="1d" * 32,
    measurement="5a" * 48,
    id_key_digest="b3" * 48,
    host_data="0c" * 32,
    guest_svn=0x1000B,
    vmpl=0,
    debug=False,
    secure_boot=True,
)
# Per rule: the field, its name for people, the claim, another value, and one of another type.
COMPARED = {
    "maa.report-id": ("report_id", "report id", "x-ms-sevsnpvm-reportid", "1e" * 32, ["1d" * 32]),
    "maa.measurement": (
        "measurement",
        "measurement",
        "x-ms-sevsnpvm-launchmeasurement",
        "5b" * 48,
        ["5a" * 48],
    ),
    "maa.id-key-digest": (
        "id_key_digest",
        "id key digest",
        "x-ms-sevsnpvm-idkeydigest",
        "b4" * 48,
        ["b3" * 48],
    ),
    "maa.host-data": ("host_data", "host data", "x-ms-sevsnpvm-hostdata", "0d" * 32, 0),
    "maa.guest-svn": ("guest_svn", "guest SVN", "x-ms-sevsnpvm-guestsvn", 0x1000C, "65547"),
    "maa.vmpl": ("vmpl", "VMPL", "x-ms-sevsnpvm-vmpl", 1, False),
    "maa.debuggable.other": ("debug", "debug", "x-ms-sevsnpvm-is-debuggable", True, 0),
    "maa.secure-boot": ("secure_boot", "secure boot", "secureboot", False, 1),
}
NEVER = ("report data", "TCB")
TRUE = {claim: getattr(VM, field) for field, _, claim, *_ in COMPARED.values()}


def _claims(changes: Mapping[str, object]) -> dict[str, object]:
    """Claims in the shape of the service's: all but `secureboot` are of the isolation."""
    tee = tokens.with_changes(TRUE, changes)
    top = {"secureboot": tee.pop("secureboot")} if "secureboot" in tee else {}
    return {**top, "x-ms-isolation-tee": tee}


def _compared(
    changes: Mapping[str, object] = MappingProxyType({}), evidence: VmIdentity | None = VM
):
    """The checks of a comparison by id, as `(ok, expected, actual)`, and what was left out."""
    checks = Checks()
    token = Jws("MAA", b"", {}, _claims(changes))
    left = maa_report_match.compare(token, evidence, checks)
    return {made.id: (made.ok, made.expected, made.actual) for made in checks.made}, left


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_every_claim_that_both_sides_have_is_compared():
    found, left = _compared()

    assert found == {
        id_: (True, _shown(TRUE[claim]), f"MAA: {_shown(TRUE[claim])}")
        for id_, (_, _, claim, *_) in COMPARED.items()
    }
    assert left == NEVER


@pytest.mark.parametrize("id_", COMPARED)
def test_a_claim_that_differs_is_refused_alone_and_shown(id_):
    _, _, claim, other, _ = COMPARED[id_]
    found, _ = _compared({claim: other})

    assert {one for one, (ok, _, _) in found.items() if not ok} == {id_}
    assert found[id_] == (False, _shown(TRUE[claim]), f"MAA: {_shown(other)}")


@pytest.mark.parametrize("id_", COMPARED)
def test_a_claim_of_another_type_is_refused_even_if_it_is_equal(id_):
    _, _, claim, _, other = COMPARED[id_]
    found, _ = _compared({claim: other})

    assert {one for one, (ok, _, _) in found.items() if not ok} == {id_}


def test_hex_of_a_claim_may_be_in_either_case():
    found, _ = _compared({k: v.upper() for k, v in TRUE.items() if isinstance(v, str)})

    assert all(ok for ok, _, _ in found.values())


@pytest.mark.parametrize("id_", COMPARED)
def test_a_claim_that_one_side_lacks_is_named_and_not_checked(id_):
    field, name, claim, *_ = COMPARED[id_]
    without, left = _compared({claim: tokens.ABSENT})

    assert set(without) == set(COMPARED) - {id_}
    assert left == (name, *NEVER)
    if field == "secure_boot":  # the one field that may be absent here
        assert _compared(evidence=replace(VM, secure_boot=None)) == (without, left)


def test_without_a_verified_report_nothing_is_compared():
    found, left = _compared(evidence=None)

    assert not found
    assert left == (*(name for _, name, *_ in COMPARED.values()), *NEVER)


def test_claims_elsewhere_in_the_token_are_not_those_of_the_isolation():
    checks = Checks()
    token = Jws("MAA", b"", {}, {**TRUE, "x-ms-isolation-tee": {"secureboot": True}})
    left = maa_report_match.compare(token, VM, checks)

    assert [made.id for made in checks.made] == ["maa.secure-boot"]
    assert len(left) == len(COMPARED) - 1 + len(NEVER)


@pytest.mark.parametrize("own", [True, False])
def test_a_whole_token_is_verified_with_the_report_it_is_of(maa_key, own):
    token = tokens.MaaToken(maa_key, NONCE, tee={**TRUE, "secureboot": tokens.ABSENT})
    checks = Checks()
    outcome = maa.verify(
        token.signed(),
        tokens.key_set(maa_key.jwk()),
        AT,
        checks,
        issuers=(tokens.MAA_ISSUER,),
        nonce=NONCE,
        vm_id=None,
        evidence=VM if own else replace(VM, measurement="00" * 48),
    )

    assert [made.id for made in checks.made if not made.ok] == ([] if own else ["maa.measurement"])
    assert isinstance(outcome, Verified if own else Unverified)
    assert outcome.value.not_compared == NEVER
