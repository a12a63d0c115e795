"""What a token is checked against: nonces, GPUs and VM of this verdict, and what is required."""

from dataclasses import replace

import pytest

from ccgpu.attest import attestation_tokens
from ccgpu.attest.attestation_tokens import LocalFindings, TokenKeySets
from ccgpu.attest.check import Checks, Verified
from ccgpu.attest.gpu import spdm
from ccgpu.attest.vm_identity import VmIdentity
from ccgpu.domain.evidence import AttestationTokens, Evidence
from ccgpu.fakeguest.evidence import tokens
from ccgpu.fakeguest.evidence.tokens import MaaToken, NrasResponse
from ccgpu.store import policies
from support import gpus
from support.gpus import gpu
from support.vms import AT, NONCE

_NRAS, _MAA = tokens.nras_signer(), tokens.maa_signer()
_KEYS = TokenKeySets(tokens.key_set(_NRAS.jwk()), tokens.key_set(_MAA.jwk()))
_NOTHING = LocalFindings(None, None, {}, None)
_OTHER_NONCE = b"\x09" * 32
_VM = VmIdentity("44" * 32, "22" * 48, "33" * 48, "00" * 32, 1, 0, debug=False, secure_boot=True)


def _verify(found, local, policy="default", keys=_KEYS, **demands):
    """The checks that failed with both sides, all reason codes, and the lines of the verdict."""
    checks = Checks()
    whole = policies.load(policy)
    accepted = {"nras_issuers": (tokens.NRAS_ISSUER,), "maa_issuers": (tokens.MAA_ISSUER,)}
    whole = whole.model_copy(update={"tokens": whole.tokens.model_copy(update=accepted | demands)})
    evidence = Evidence("bundle", tokens=AttestationTokens(**found))
    lines = attestation_tokens.verify(evidence, whole, keys, local, AT, checks)
    failed = {made.id: (made.expected, made.actual) for made in checks.made if not made.ok}
    return failed, {made.id for made in checks.made}, lines


def _nras(nonce=NONCE, **changes):
    return {"nras": NrasResponse(_NRAS, nonce, issued=AT, **changes).signed()}


def _maa(nonce=NONCE, **changes):
    return {"maa": MaaToken(_MAA, nonce, issued=AT, **changes).signed()}


@pytest.mark.parametrize("policy", ["default", "cpu-only", "gpu-only"])
def test_one_gpu_is_expected_even_by_a_policy_that_does_not_look_at_gpus(policy):
    local = replace(_NOTHING, gpu_nonce=NONCE)

    assert _verify(_nras(), local, policy)[0] == {}
    two = _nras(ueids=(tokens.UEID, "1" * 47))
    assert _verify(two, local, policy)[0] == {"nras.gpus.count": ("1", "2")}


def test_each_service_was_asked_with_its_own_nonce():
    local = LocalFindings(_OTHER_NONCE, NONCE, {}, None)
    swapped = LocalFindings(NONCE, _OTHER_NONCE, {}, None)

    assert _verify(_nras(), local)[0] == {}
    assert _verify(_maa(_OTHER_NONCE), local)[0] == {}
    assert set(_verify(_nras(), swapped)[0]) == {"nras.nonce.other"}
    assert set(_verify(_maa(_OTHER_NONCE), swapped)[0]) == {"maa.nonce.other"}
    assert set(_verify(_nras(), _NOTHING)[0]) == {"token.nonce.unasked"}
    assert set(_verify(_maa(), _NOTHING)[0]) == {"token.nonce.unasked"}


def test_tokens_of_gpus_are_compared_with_reports_that_are_verified():
    report = spdm.parse(gpus.nonce_evidence(gpu()).gpus[0].report)
    local = replace(_NOTHING, gpu_nonce=NONCE, gpus={tokens.UEID: Verified(report)})
    of_other = replace(local, gpus={"1" * 47: Verified(report)})

    failed, made, _ = _verify(_nras(), local)
    assert failed == {}
    assert {"nras.gpus.driver", "nras.gpus.vbios", "nras.gpus.other"} <= made
    assert set(_verify(_nras(), of_other)[0]) == {"nras.gpus.other"}
    said = {"x-nvidia-gpu-driver-version": "1.2", "x-nvidia-gpu-vbios-version": "3.4"}
    assert _verify(_nras(gpu=said), local)[0] == {
        "nras.gpus.driver": ("595.71.05", "GPU-0: 1.2"),
        "nras.gpus.vbios": ("96.00.9F.00.04", "GPU-0: 3.4"),
    }
    without = _verify(_nras(), replace(local, gpus={}))
    assert "nras.gpus.other" not in without[1]


def test_microsofts_token_is_of_the_vm_and_of_its_report():
    local = LocalFindings(NONCE, None, {}, tokens.VM_ID, _VM)

    assert _verify(_maa(), local)[0] == {}
    assert set(_verify(_maa(), replace(local, vm_id="x"))[0]) == {"maa.vm-id"}
    other = replace(_VM, measurement="23" * 48)
    assert set(_verify(_maa(), replace(local, vm=other))[0]) == {"maa.measurement"}


def test_claims_that_were_not_compared_are_listed_in_one_line():
    start = "Microsoft's token: not compared with the evidence: "
    whole = LocalFindings(NONCE, None, {}, None, _VM)
    assert _verify(_maa(), whole)[2] == (f"{start}host data, guest SVN, report data, TCB",)
    nothing = (
        "report id, measurement, id key digest, host data, guest SVN, VMPL, debug, secure boot"
    )
    assert _verify(_maa(), replace(whole, vm=None))[2] == (f"{start}{nothing}, report data, TCB",)
    assert _verify({"maa": b"x"}, whole)[2] == ()
    assert _verify(_nras(), replace(_NOTHING, gpu_nonce=NONCE))[2] == ()


@pytest.mark.parametrize(("service", "good"), [("nras", _nras()["nras"]), ("maa", _maa()["maa"])])
def test_a_required_token_and_its_key_set_are_each_demanded(service, good):
    local = LocalFindings(NONCE, NONCE, {}, None)
    demanded = {f"require_{service}": True}
    absent = f"evidence.{service}.absent"

    assert _verify({}, local, **demanded)[:2] == ({absent: ("a token", "absent")}, {absent})
    failed, made, _ = _verify({service: good}, local, keys=TokenKeySets(), **demanded)
    assert failed == {"collateral.jwks.absent": ("a JWKS", "absent")}
    assert made == {absent, "collateral.jwks.absent"}
    failed, made, _ = _verify({service: good}, local, **demanded)
    assert failed == {}
    assert {absent, "collateral.jwks.absent", "token.signature"} <= made


@pytest.mark.parametrize("service", ["nras", "maa"])
def test_a_token_that_is_not_required_is_checked_if_there_are_keys_for_it(service):
    local = LocalFindings(NONCE, NONCE, {}, None)
    good = (_nras() if service == "nras" else _maa())[service]
    other = TokenKeySets(**{("maa" if service == "nras" else "nras"): b"{}"})

    assert _verify({}, local)[1] == set()
    assert _verify({service: good}, local, keys=other)[1] == set()
    failed, made, _ = _verify({service: good}, local)
    assert failed == {}
    assert not made & {f"evidence.{service}.absent", "collateral.jwks.absent"}


def test_both_tokens_are_checked_where_both_are_given():
    local = LocalFindings(NONCE, NONCE, {}, None)
    bad = _nras(overall={"x-nvidia-overall-att-result": False})

    failed, _, lines = _verify({**bad, **_maa(claims={"x-ms-attestation-type": "x"})}, local)
    assert set(failed) == {"nras.overall", "maa.type"}
    assert len(lines) == 1
