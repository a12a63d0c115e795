"""Certificates and lists of several machines: each report gets those that are its own."""

from dataclasses import replace

import pytest

from ccgpu.attest.snp import report as reports
from ccgpu.attest.snp.selection import select
from ccgpu.domain.evidence import CallerCollateral, CpuEvidence
from ccgpu.fakeguest.evidence.amd import SimulatedChip, SimulatedTcb
from ccgpu.fakeguest.evidence.pki import pem
from support.evidence_amd import AT, pinned_roots


@pytest.fixture
def roots(machine, milan):
    return {**pinned_roots(machine.amd), **pinned_roots(milan)}


@pytest.fixture
def choose(machine, roots):
    """`choose(part, **given)`: what is selected for a report of the machine."""
    report = reports.parse(machine.report().signed_by(machine.chip.key))

    def chosen(part=None, report=report, **given):
        return select(report, part or CpuEvidence(), CallerCollateral(**given), roots, AT)

    return chosen


@pytest.fixture
def own(machine):
    return machine.vcek.signed_by(machine.amd.ask_key)


@pytest.fixture
def others(machine):
    """Certificates of another chip, and of this one at another TCB."""
    chips = (
        SimulatedChip(hwid=bytes(range(100, 164))),
        replace(machine.chip, tcb=SimulatedTcb(snp=0x16)),
    )
    return tuple(machine.amd.vcek(chip).signed_by(machine.amd.ask_key) for chip in chips)


def test_the_certificate_for_chip_and_tcb_is_selected(choose, own, others):
    for veks in ((own, *others), (*others, own), (b"junk", *others, pem(own))):
        assert choose(veks=veks).vek in (own, pem(own))
        assert choose(CpuEvidence(vek=veks[0], veks=veks[1:])).vek in (own, pem(own))
    assert choose(CpuEvidence(vek=others[0]), veks=(own,)).vek == own
    assert choose(CpuEvidence(vek=own), veks=others).vek == own


def test_only_certificates_of_other_chips_count_as_missing(choose, others):
    assert choose(veks=others).vek is None
    assert choose(veks=(b"junk",)).vek is None
    assert choose().vek is None


def test_an_invalid_certificate_in_the_evidence_is_refused_with_its_reason(choose, others):
    assert choose(CpuEvidence(vek=others[0]), veks=others[1:]).vek == others[0]
    assert choose(CpuEvidence(vek=b"junk")).vek == b"junk"


def test_certificates_of_the_caller_come_first_if_signed_by_amd(choose, machine, own):
    again = machine.vcek.signed_by(machine.amd.ask_key)
    forged = machine.vcek.signed_by(machine.amd.ark_key)
    assert choose(CpuEvidence(vek=own), veks=(again,)).vek == again
    assert choose(CpuEvidence(vek=own), veks=(forged,)).vek == own
    assert choose(CpuEvidence(vek=forged), veks=(own,)).vek == own


def test_crls_of_other_products_from_the_caller_are_ignored(choose, machine, milan, own):
    here, there = (amd.crl().signed_by(amd.ark_key) for amd in (machine.amd, milan))
    part = CpuEvidence(vek=own)
    assert choose(part, crls=(there, here)).crls == (here,)
    assert choose(part, crls=(there,)).crls == ()
    assert choose(replace(part, crl=there), crls=(here,)).crls == (here, there)
    assert choose(replace(part, crl=here, crls=(here,)), crls=(here, b"junk")).crls == (
        here,
        b"junk",
    )


@pytest.mark.slow
def test_the_chain_is_that_of_the_caller_or_of_the_evidence(choose, machine, milan, own):
    part = CpuEvidence(vek=own, chain=b"own")
    assert choose(part).chain == b"own"
    assert choose(part, chains=(milan.chain, machine.amd.chain)).chain == machine.amd.chain
    assert choose(part, chains=(milan.chain, b"junk")).chain == b"own"
