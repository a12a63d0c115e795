"""The periods of validity that a report shows: those that the verdict rests on, as parsed."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from ccgpu.attest.chain_parts import PARTS
from ccgpu.attest.gpu import ocsp_response, rim, usage
from ccgpu.attest.simulated import simulated_roots
from ccgpu.attest.snp import crl, vek
from ccgpu.attest.validity import validity_periods
from ccgpu.domain.evidence import CallerCollateral, CpuEvidence, NamedManifest
from ccgpu.fakeguest.evidence import amd as amds
from support.reports import evidence
from support.vms import AT, newest_vm


def _periods(found):
    roots = simulated_roots(evidence())
    assert roots is not None
    return validity_periods(found, AT, roots)


def _cpu_piece(name):
    return (
        lambda found: getattr(found.cpu, name),
        lambda found, raw: replace(found, cpu=replace(found.cpu, **{name: raw})),
    )


def _gpu_piece(name):
    return (
        lambda found: getattr(found.gpus[0], name),
        lambda found, raw: replace(found, gpus=(replace(found.gpus[0], **{name: raw}),)),
    )


def _collateral_piece(name):
    return (
        lambda found: getattr(found.collateral, name)[0],
        lambda found, raw: replace(
            found,
            collateral=replace(
                found.collateral, **{name: (raw, *getattr(found.collateral, name)[1:])}
            ),
        ),
    )


_RUBBISH = b"\x30\x03\x0a\x01\x06"
_KEYS = {part.key for part in PARTS}
_PIECES = {
    **{name: _cpu_piece(name) for name in ("hcl", "vek", "chain", "crl")},
    **{f"gpu {name}": _gpu_piece(name) for name in ("report", "chain")},
    **{name: _collateral_piece(name) for name in ("rims", "ocsp")},
}


def _with_cpu(**changes):
    cpu = evidence().cpu
    assert cpu is not None
    return replace(evidence(), cpu=replace(cpu, **changes))


def test_each_certificate_list_and_answer_is_there_once():
    found = _periods(evidence())
    assert Counter(each.part for each in found) == {
        "amd-root": 1,
        "amd-signer": 1,
        "amd-crl": 1,
        "vcek": 1,
        "gpu-leaf": 1,
        "nvidia-authorities": 3,
        "nvidia-root": 1,
        "rim-signer": 3,  # one signer and its authorities, of both manifests
        "rim-root": 1,
        "ocsp": 6,  # about three authorities of the GPU, and about those three
    }
    assert all(each.alone for each in found)
    assert {each.status for each in found if each.part == "ocsp"} == {"good"}
    assert all(each.end is None or each.start < each.end for each in found)


def test_dates_are_those_of_the_certificate():
    (chip,) = [each for each in _periods(evidence()) if each.part == "vcek"]
    assert chip.start < AT < chip.start + timedelta(days=20000)
    assert chip.end is not None


def _fields(part):
    return [
        (each.kind, each.name, each.issuer, each.start, each.end, each.status)
        for each in _periods(evidence())
        if each.part == part
    ]


def _certificates(pem):
    return [
        (
            "certificate",
            each.issuer.rfc4514_string(),
            each.not_valid_before_utc,
            each.not_valid_after_utc,
        )
        for each in x509.load_pem_x509_certificates(pem)
    ]


def _of(part):
    return [(kind, issuer, start, end) for kind, _, issuer, start, end, _ in _fields(part)]


def test_a_chips_certificate_is_told_by_its_subject_issuer_and_dates():
    cpu = evidence().cpu
    assert cpu is not None
    own = vek.parse(cpu.vek or b"").certificate
    assert (own.subject, own.issuer) != ("", "")
    assert _fields("vcek") == [
        ("certificate", own.subject, own.issuer, own.not_before, own.not_after, "")
    ]


def test_amds_authorities_are_signer_and_root():
    cpu = evidence().cpu
    assert cpu is not None
    assert [*_of("amd-signer"), *_of("amd-root")] == _certificates(cpu.chain or b"")
    assert [name for part in ("amd-signer", "amd-root") for _, name, *_ in _fields(part)] == [
        usage.describe(each) for each in x509.load_pem_x509_certificates(cpu.chain or b"")
    ]


def test_a_revocation_list_tells_its_issuer_dates_and_length():
    cpu = evidence().cpu
    assert cpu is not None
    read = crl.parse(cpu.crl or b"")
    assert _fields("amd-crl") == [
        (
            "revocation list",
            read.issuer,
            read.issuer,
            read.this_update,
            read.next_update,
            f"{len(read.serials)} revoked",
        )
    ]


def test_an_unreadable_list_does_not_hide_the_next():
    cpu = evidence().cpu
    assert cpu is not None
    found = _periods(_with_cpu(crl=_RUBBISH, crls=(cpu.crl,)))
    assert [each.part for each in found if each.part == "amd-crl"] == ["amd-crl"]


def test_a_gpus_certificates_are_leaf_authorities_and_root():
    chain = _certificates(evidence().gpus[0].chain)
    assert _of("gpu-leaf") == chain[:1]
    assert _of("nvidia-authorities") == chain[1:-1]
    assert _of("nvidia-root") == chain[-1:]


def test_an_answer_tells_what_it_is_about_who_issued_that_and_its_dates():
    chain = x509.load_pem_x509_certificates(evidence().gpus[0].chain)
    raw = evidence().collateral.ocsp
    dates = {(each.this_update, each.next_update) for each in map(ocsp_response.parse, raw)}
    found = _fields("ocsp")
    assert {kind for kind, *_ in found} == {"OCSP answer"}
    assert {(start, end) for _, _, _, start, end, _ in found} == dates
    pairs = {(name, issuer) for _, name, issuer, *_ in found}
    assert pairs > {
        (usage.describe(one), issuer.subject.rfc4514_string())
        for one, issuer in pairwise(chain[1:])
    }


def test_a_gpu_whose_report_is_unreadable_does_not_hide_another():
    (one,) = evidence().gpus
    both = replace(evidence(), gpus=(replace(one, report=_RUBBISH), one))
    assert "rim-root" in {each.part for each in _periods(both)}


def test_manifests_of_driver_and_vbios_are_both_there():
    for number in range(2):
        rims = (evidence().collateral.rims[number],)
        one = replace(evidence(), collateral=replace(evidence().collateral, rims=rims))
        parts = Counter(each.part for each in _periods(one))
        assert (parts["rim-root"], parts["rim-signer"] > 0) == (1, True), number


def test_two_manifests_of_one_kind_and_version_cannot_be_told_apart():
    first, second = evidence().collateral.rims
    # Another file of the same kind and version, which differs by a space after its end.
    twice = replace(evidence().collateral, rims=(first, first + b"\n", second))
    found = _periods(replace(evidence(), collateral=twice))
    assert {each.alone for each in found if each.part == "rim-signer"} == {True, False}


def test_the_certificate_of_another_chip_is_left_out():
    other = replace(newest_vm(), chip=amds.SimulatedChip(hwid=b"\x77" * 64)).collect(b"n" * 32).vek
    given = CallerCollateral(veks=(other,))
    assert _periods(replace(evidence(), given=given)) == _periods(evidence())


def test_manifests_of_versions_that_do_not_run_are_left_out():
    first, *rest = evidence().collateral.rims
    renamed = first.replace(b'colloquialVersion="5', b'colloquialVersion="4')
    renamed = renamed if renamed != first else first.replace(b'version="', b'version="9')
    given = CallerCollateral(rims=(NamedManifest("x", renamed),))
    assert len(rest) == 1
    assert rim.parse(renamed)[0].version != rim.parse(first)[0].version
    assert _periods(replace(evidence(), given=given)) == _periods(evidence())


def test_two_lists_cannot_be_told_apart():
    amd = newest_vm().amd
    another = amd.crl().signed_by(amd.ark_key)  # of the same dates
    found = _periods(_with_cpu(crls=(another,)))
    assert [each.alone for each in found if each.part == "amd-crl"] == [False]


@pytest.mark.parametrize("rubbish", [b"", b"\x30\x03\x0a\x01\x06", b"-----BEGIN CERTIFICATE-----"])
def test_what_cannot_be_read_is_left_out(rubbish):
    found = evidence()
    gpus = tuple(replace(each, chain=rubbish, report=rubbish) for each in found.gpus)
    collateral = replace(found.collateral, rims=(rubbish,), ocsp=(rubbish,))
    assert (
        _periods(replace(found, cpu=CpuEvidence(report=rubbish), gpus=gpus, collateral=collateral))
        == ()
    )
    parts = {each.part for each in _periods(_with_cpu(vek=rubbish, chain=rubbish, crl=rubbish))}
    assert parts.isdisjoint({"vcek", "amd-signer", "amd-root", "amd-crl"})


def test_evidence_without_cpu_and_gpu_has_none():
    assert _periods(replace(evidence(), cpu=None, gpus=())) == ()
    assert all(
        each.part not in ("vcek", "amd-root") for each in _periods(replace(evidence(), cpu=None))
    )


@pytest.mark.slow
@given(part=st.sampled_from(sorted(_PIECES)), data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_bytes_are_too_strange_to_be_listed_or_left_out(part, data):
    there, exchanged = _PIECES[part]
    raw = there(evidence())
    at = data.draw(st.integers(0, len(raw) - 1))
    kept = data.draw(st.sampled_from([raw[at + 1 :], b""]))
    changed = raw[:at] + data.draw(st.binary(max_size=4)) + kept
    for each in _periods(exchanged(evidence(), changed)):
        assert each.part in _KEYS
