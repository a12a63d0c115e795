"""The periods of validity that a report shows: those that the verdict rests on, as parsed."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccgpu.attest.chain_parts import PARTS
from ccgpu.attest.gpu import rim
from ccgpu.attest.simulated import simulated_roots
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
