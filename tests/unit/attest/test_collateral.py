"""Whose collateral counts in a verdict: the caller's before the evidence's; any list revokes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ccgpu.attest.gpu import opaque, spdm
from ccgpu.domain import bundle
from ccgpu.domain.evidence import CallerCollateral, NamedManifest
from ccgpu.errors import EvidenceUnavailable
from ccgpu.fakeguest.evidence import amd, rim
from ccgpu.fakeguest.evidence import spdm as builder
from ccgpu.fakeguest.evidence.amd import SimulatedChip
from ccgpu.fakeguest.evidence.rim_pki import SIGNER
from ccgpu.store.evidence import thim
from support import documents
from support.gpus import gpu
from support.gpus import nonce_evidence as asked_of_gpu
from support.tampering import tamperable_chain
from support.vms import AT, Judge, nonce_evidence, vm

gpus, cpus = Judge("gpu-only"), Judge("cpu-only")
_WITH_CRL = {"require_crl": True}


def _given(found, **collateral):
    return replace(found, given=CallerCollateral(**collateral))


def _brings(found, **changes):
    return replace(found, collateral=replace(found.collateral, **changes))


def _named(found, rims=None):
    """The evidence's manifests as the caller's, named as NVIDIA's service names them."""
    said = spdm.parse(found.gpus[0].report).opaque
    names = (opaque.driver_rim_id(said, "GH100"), opaque.vbios_rim_id(said))
    return tuple(map(NamedManifest, names, rims or found.collateral.rims))


def _signed_by(chain, golden=None):
    """Manifests of what runs by this signer, whose golden values may be others."""
    return tuple(
        rim.rim_template(
            version, {at: golden or (builder.measurement(at),) for at in indices}
        ).signed_by(chain)
        for version, indices in (
            (rim.DRIVER, rim.DRIVER_INDICES),
            (rim.VBIOS, rim.VBIOS_INDICES),
        )
    )


def _expired():
    ended = tamperable_chain(gpu().rims).with_certificate(SIGNER, not_after=AT - timedelta(days=1))
    return _signed_by(ended)


# Revocation lists


def _crl(*revoked, months=11):
    start = datetime(2026, months, 1, tzinfo=UTC)
    listed = replace(
        vm().amd.crl(*revoked), this_update=start, next_update=start + timedelta(days=30)
    )
    return listed.signed_by(vm().amd.ark_key)


def _with_cpu(found, **changes):
    assert found.cpu is not None
    return replace(found, cpu=replace(found.cpu, **changes))


def _bringing(crl):
    return _with_cpu(nonce_evidence(vm()), crl=crl)


def test_a_revoking_crl_of_the_caller_outranks_that_of_the_evidence():
    found = _given(_bringing(_crl(months=9)), crls=(_crl(0),))

    assert (cpus(found).verdict, cpus(found).reasons) == ("rejected", ("snp.crl.vek",))


def test_a_revoking_crl_of_the_evidence_outranks_a_newer_one():
    for revoking, other in ((_crl(0), _crl(months=9)), (_crl(0, months=9), _crl())):
        assert cpus(_given(_bringing(revoking), crls=(other,))).reasons == ("snp.crl.vek",)
        assert cpus(_given(_bringing(other), crls=(revoking,))).reasons == ("snp.crl.vek",)


def test_a_current_crl_replaces_an_old_one_in_the_evidence():
    old = _bringing(_crl(months=9))

    assert cpus(old, cpu=_WITH_CRL).reasons == ("snp.crl.window",)
    assert cpus(_given(old, crls=(_crl(),)), cpu=_WITH_CRL).verdict == "accepted"


@pytest.mark.slow
def test_crls_of_other_products_count_as_missing(milan_crl):
    found = _given(nonce_evidence(vm()), crls=(milan_crl,))

    assert cpus(found, cpu=_WITH_CRL).reasons == ("snp.crl.present",)
    assert cpus(_given(found, crls=(milan_crl, _crl())), cpu=_WITH_CRL).verdict == "accepted"


@pytest.fixture
def milan_crl():
    other = amd.make_authorities("Milan", bits=2048)
    return other.crl().signed_by(other.ark_key)


# Certificates of chips


def test_the_vcek_is_found_among_those_of_several_machines():
    found = nonce_evidence(vm())
    assert found.cpu is not None
    own = found.cpu.vek
    other = vm().amd.vcek(SimulatedChip(hwid=bytes(range(100, 164)))).signed_by(vm().amd.ask_key)
    lacking = _with_cpu(found, vek=None)

    assert cpus(_given(lacking, veks=(other, own))).verdict == "accepted"
    alone = cpus(_given(lacking, veks=(other,)))
    assert (alone.verdict, alone.reasons) == ("no_verdict", ("collateral.vek.absent",))
    (told,) = [check.actual for check in alone.checks if not check.ok]
    assert told == "none of 1 certificates is of this chip at its TCB"
    assert cpus(_with_cpu(found, vek=other, veks=(own,))).verdict == "accepted"


@pytest.mark.parametrize("forged", [False, True])
def test_a_wrong_thim_certificate_is_replaced_by_the_callers(forged):
    found = nonce_evidence(vm())
    assert found.cpu is not None
    own = found.cpu.vek or b""
    other = vm().amd.vcek(SimulatedChip(hwid=bytes(range(100, 164)))).signed_by(vm().amd.ask_key)
    wrong = own[:-1] + bytes([own[-1] ^ 1]) if forged else other
    answer = documents.thim(wrong, vm().amd.chain)
    completed = thim.complete_certificates(replace(found.cpu, vek=None, thim=answer))
    of_azure = replace(found, cpu=completed)

    assert cpus(of_azure).verdict == "rejected"
    assert cpus(_given(of_azure, veks=(own,))).verdict == "accepted"


# Manifests


@pytest.mark.slow
def test_stale_rims_in_the_evidence_do_not_hide_good_ones_of_the_caller():
    found = asked_of_gpu(gpu())
    stale = _brings(found, rims=_expired())

    assert gpus(stale).reasons == ("rim.signer.expired",)
    for rims in (_named(found), [NamedManifest("x", xml) for xml in found.collateral.rims]):
        judged = gpus(_given(stale, rims=tuple(rims)))
        assert judged.reasons == ()
        assert judged.verdict == "accepted"


def test_stale_rims_of_the_caller_do_not_hide_good_ones_in_the_evidence():
    found = asked_of_gpu(gpu())

    assert gpus(_given(found, rims=_named(found, _expired()))).verdict == "accepted"


@pytest.mark.slow
def test_measurements_must_match_the_rim_of_the_given_id():
    found = asked_of_gpu(gpu())
    different = _signed_by(gpu().rims, golden=(bytes(48),))
    both = _brings(found, rims=(*different, *found.collateral.rims))

    assert gpus(both).reasons == ("rim.ambiguous",)
    named = gpus(_given(both, rims=_named(found)))
    assert (named.verdict, named.reasons) == ("accepted", ())
    assert "differ in their golden values" in named.facts["GPU manifests 1"]
    assert gpus(_given(both, rims=_named(found, different))).reasons == ("golden.match",)


@pytest.mark.slow
def test_a_saved_bundle_does_not_choose_between_two_rims():
    found = asked_of_gpu(gpu())
    different = _signed_by(gpu().rims, golden=(bytes(48),))
    named = _given(_brings(found, rims=different), rims=_named(found))
    saved = bundle.from_evidence(named, made_at=AT, tool="test").evidence()

    assert gpus(named).verdict == "accepted"
    assert gpus(saved).reasons == ("rim.ambiguous",)
    assert gpus(_given(saved, rims=_named(found))).verdict == "accepted"


def test_without_rims_both_ids_and_the_command_are_shown():
    judged = gpus(_brings(asked_of_gpu(gpu()), rims=()))

    with pytest.raises(EvidenceUnavailable) as caught:
        judged.require("'my bundle.json'")
    for each in _named(asked_of_gpu(gpu())):
        assert each.name in str(caught.value)
    assert "`ccgpu collateral fetch 'my bundle.json' --out DIR`" in str(caught.value.hint)


# OCSP


@pytest.mark.slow
def test_newer_ocsp_responses_of_the_caller_count_and_any_may_revoke():
    found = asked_of_gpu(gpu())
    stale = asked_of_gpu(
        replace(gpu(), answers={"next_update": datetime(2026, 11, 22, 1, tzinfo=UTC)})
    ).collateral.ocsp
    revoked = asked_of_gpu(replace(gpu(), answers={"status": "revoked"})).collateral.ocsp
    earlier = {"this_update": datetime(2026, 11, 21, tzinfo=UTC)}
    older = asked_of_gpu(replace(gpu(), answers=earlier)).collateral.ocsp

    assert (
        gpus(_given(_brings(found, ocsp=older), ocsp=found.collateral.ocsp)).verdict == "accepted"
    )
    assert gpus(_brings(found, ocsp=stale)).verdict == "rejected"
    assert gpus(_given(found, ocsp=revoked)).reasons == ("ocsp.revoked",)
    assert gpus(_given(_brings(found, ocsp=revoked), ocsp=found.collateral.ocsp)).reasons == (
        "ocsp.revoked",
    )


@pytest.mark.parametrize("status", [1, 2, 3, 5, 6])
def test_an_error_message_of_a_responder_changes_nothing(status):
    message = bytes((0x30, 3, 0x0A, 1, status))
    found = asked_of_gpu(gpu())

    beside = _brings(found, ocsp=(message, *found.collateral.ocsp, message))
    assert gpus(beside).verdict == "accepted"
    assert [check.id for check in gpus(beside).checks] == [check.id for check in gpus(found).checks]
    alone = gpus(_brings(found, ocsp=(message,)))
    assert (alone.verdict, alone.reasons) == ("no_verdict", ("ocsp.absent",))
