"""Each rule refuses a report that is genuine and valid in all else, and says only its own code."""

from dataclasses import replace

import pytest

from ccgpu.attest.check import Unverified, Verified
from ccgpu.fakeguest.evidence import amd as amds
from ccgpu.fakeguest.evidence.amd import SimulatedChip, SimulatedTcb
from support.evidence_amd import AT, Machine, pinned_roots, replace_extension

_TURIN_TCB = SimulatedTcb(bootloader=1, tee=1, snp=4, microcode=0x30, fmc=1)


def test_a_genuine_report_is_verified(machine):
    judged = machine.evidence().judge()
    assert isinstance(judged.outcome, Verified)
    assert judged.outcome.value.product == "Genoa"


@pytest.mark.parametrize("version", [3, 4, 5])
def test_reports_that_name_their_processor_are_verified(machine, version):
    assert not machine.evidence(machine.report(version=version)).refusals()


@pytest.mark.slow
@pytest.mark.parametrize("product", ["Genoa", "Milan"])
def test_the_product_of_a_report_of_version_2_is_the_certificates(amd, milan, product):
    machine = Machine(milan if product == "Milan" else amd)
    evidence = machine.evidence(_version_2(machine))
    assert not evidence.refusals()
    assert evidence.judge().outcome.value.product == product


def test_a_report_of_turin_is_verified_with_pinned_authorities(turin):
    machine = Machine(turin, SimulatedChip(_TURIN_TCB, hwid=b"turin id"))
    evidence = machine.evidence(machine.report(cpuid_fam_id=0x1A, cpuid_mod_id=2))
    assert not evidence.refusals()
    assert evidence.judge().outcome.value.product == "Turin"


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"policy": 0x1001F}, "snp.policy.reserved-one"),
        ({"policy": 0x403001F}, "snp.policy.reserved"),
        ({"policy": 1 << 63 | 0x3001F}, "snp.policy.reserved"),
        ({"policy": 0xB001F}, "snp.policy.debug"),
        ({"policy": 0x7001F}, "snp.policy.migration-agent"),
        ({"vmpl": 1}, "snp.vmpl"),
        ({"vmpl": 0xFFFFFFFF}, "snp.vmpl"),
        ({"platform_info": 0x64}, "snp.platform-info.reserved"),
        ({"platform_info": 0x124}, "snp.platform-info.reserved"),
        ({"platform_info": 1 << 63 | 0x24}, "snp.platform-info.reserved"),
        ({"key_info": 1 << 5}, "snp.key-info.reserved"),
        ({"key_info": 1 << 31}, "snp.key-info.reserved"),
        ({"key_info": 1}, "snp.key-info.author-key"),
        ({"author_key_digest": b"\0" * 47 + b"\1"}, "snp.key-info.author-key"),
        ({"key_info": 2}, "snp.key-info.mask-chip-key"),
        ({"signature_algo": 0}, "snp.signature.algorithm"),
        ({"signature_algo": 2}, "snp.signature.algorithm"),
        ({"cpuid_mod_id": 0x20}, "snp.product.cpuid"),
        ({"current_build": 41}, "snp.version.provisional"),
        ({"current_minor": 56}, "snp.version.provisional"),
        ({"committed_major": 0}, "snp.version.provisional"),
    ],
)
def test_each_wrong_value_is_rejected_for_itself_alone(machine, changes, refusal):
    expected = {refusal}
    if refusal == "snp.product.cpuid":
        expected.add("snp.product")  # an unknown processor is of nobody's product
    assert machine.evidence(machine.report(**changes)).refusals() == expected


@pytest.mark.parametrize("policy", [0x30000, 0x3001F, 0x20000, 0x3FB001F & ~0xC0000])
def test_values_chosen_by_the_guest_are_accepted(machine, policy):
    assert not machine.evidence(machine.report(policy=policy)).refusals()


@pytest.mark.parametrize("platform_info", [0, 0xBF])
def test_platform_info_is_left_to_the_policy(machine, platform_info):
    assert not machine.evidence(machine.report(platform_info=platform_info)).refusals()


@pytest.mark.parametrize("component", ["bootloader", "tee", "snp", "microcode"])
@pytest.mark.parametrize(
    ("which", "refusal"),
    [("reported", "snp.tcb.reported"), ("launch", "snp.tcb.launch")],
)
def test_no_tcb_is_above_the_current_one(amd, which, refusal, component):
    above = replace(SimulatedTcb(), **{component: getattr(SimulatedTcb(), component) + 1})
    machine = Machine(amd, SimulatedChip(above if which == "reported" else SimulatedTcb()))
    below = {
        f"{one}_tcb": SimulatedTcb().raw for one in ("current", "committed", "launch", "reported")
    }
    report = machine.report(**(below | {f"{which}_tcb": above.raw}))
    assert machine.evidence(report).refusals() == {refusal}


def test_the_committed_microcode_is_not_above_the_current(machine):
    above = replace(SimulatedTcb(), microcode=0x55)
    evidence = machine.evidence(machine.report(committed_tcb=above.raw))
    assert evidence.refusals() == {"snp.tcb.committed"}


def test_microcode_may_be_newer_than_what_is_committed(machine):
    loaded = replace(SimulatedTcb(), microcode=0xFF)
    assert not machine.evidence(machine.report(current_tcb=loaded.raw)).refusals()


@pytest.mark.parametrize("component", ["bootloader", "tee", "snp"])
def test_provisional_firmware_is_refused(machine, component):
    newer = replace(SimulatedTcb(), **{component: getattr(SimulatedTcb(), component) + 1})
    evidence = machine.evidence(machine.report(current_tcb=newer.raw))
    assert evidence.refusals() == {"snp.tcb.provisional"}


def test_provisional_fmc_of_turin_is_refused(turin):
    machine = Machine(turin, SimulatedChip(_TURIN_TCB, hwid=b"turin id"))
    newer = replace(_TURIN_TCB, fmc=2)
    report = machine.report(cpuid_fam_id=0x1A, cpuid_mod_id=2, current_tcb=newer.raw)
    assert machine.evidence(report).refusals() == {"snp.tcb.provisional"}


@pytest.mark.parametrize(
    ("component", "number", "refusal"),
    [
        ("bootloader", 1, "snp.vek.bootloader"),
        ("tee", 2, "snp.vek.tee"),
        ("snp", 3, "snp.vek.snp"),
        ("microcode", 8, "snp.vek.microcode"),
    ],
)
def test_the_key_is_of_the_reported_tcb(machine, component, number, refusal):
    own = getattr(SimulatedTcb(), component)
    for other in {own + 1, max(own - 1, 0), 255} - {own}:
        changed = replace_extension(machine.vcek, amds.svn_extension(number, other))
        assert machine.evidence(vek=changed).refusals() == {refusal}


@pytest.mark.parametrize("reserved", [4, 5, 6, 7])
def test_reserved_version_numbers_of_the_key_are_zero(machine, reserved):
    changed = replace_extension(machine.vcek, amds.svn_extension(reserved, 1))
    assert machine.evidence(vek=changed).refusals() == {"snp.vek.reserved-svn"}


def test_an_fmc_is_turins_alone(machine):
    changed = replace_extension(machine.vcek, amds.svn_extension(9, 0))
    assert machine.evidence(vek=changed).refusals() == {"snp.vek.fmc"}


def test_the_key_is_of_the_reported_fmc(turin):
    machine = Machine(turin, SimulatedChip(_TURIN_TCB, hwid=b"turin id"))
    report = machine.report(cpuid_fam_id=0x1A, cpuid_mod_id=2)
    changed = replace_extension(machine.vcek, amds.svn_extension(9, 2))
    assert machine.evidence(report, changed).refusals() == {"snp.vek.fmc"}


def test_a_version_number_above_127_has_a_longer_encoding(amd):
    machine = Machine(amd, SimulatedChip(SimulatedTcb(snp=0x80, microcode=0xFF)))
    assert not machine.evidence().refusals()


def test_a_report_without_a_chip_id_is_rejected(amd):
    masked = Machine(amd, SimulatedChip(hwid=bytes(64)))
    assert masked.evidence().refusals() == {"snp.chip-id.masked"}


def test_a_report_of_another_chip_is_refused(machine):
    other = bytes(reversed(machine.chip.hwid))
    evidence = machine.evidence(machine.report(chip_id=other))
    assert evidence.refusals() == {"snp.chip-id.hwid"}


@pytest.mark.parametrize("last", [b"\0", b"\1"])
def test_the_whole_chip_id_counts(turin, last):
    machine = Machine(turin, SimulatedChip(_TURIN_TCB, hwid=b"turin id"))
    chip_id = b"turin id".ljust(63, b"\0") + last
    report = machine.report(cpuid_fam_id=0x1A, cpuid_mod_id=2, chip_id=chip_id)
    assert machine.evidence(report).refusals() == ({"snp.chip-id.hwid"} if any(last) else set())


def test_a_report_signed_by_another_key_is_refused(machine):
    evidence = machine.evidence()
    other = SimulatedChip(machine.chip.tcb, machine.chip.hwid)
    forged = replace(evidence, report=machine.report().signed_by(other.key))
    assert forged.refusals() == {"snp.signature"}


def test_a_report_signed_by_a_vlek_is_rejected_and_its_checks_listed(machine):
    vlek = machine.amd.vlek(machine.chip).signed_by(machine.amd.asvk_key)
    evidence = replace(machine.evidence(machine.report(key_info=1 << 2)), vek=vlek)
    judged = evidence.judge()
    held = {check.id for check in judged.checks if check.ok}
    assert {"snp.signature", "snp.vek.signature", "snp.vek.kind"} <= held
    assert evidence.refusals() == {"snp.key-info.signing-key"}


@pytest.mark.parametrize("key", [1, 2, 6, 7])
def test_a_report_without_a_vcek_signature_is_rejected(machine, key):
    evidence = machine.evidence(machine.report(key_info=key << 2))
    assert evidence.refusals() == {"snp.key-info.signing-key", "snp.vek.kind"}


def test_a_vlek_does_not_stand_for_a_vcek(machine):
    vlek = machine.amd.vlek(machine.chip).signed_by(machine.amd.asvk_key)
    assert replace(machine.evidence(), vek=vlek).refusals() == {"snp.vek.kind"}


def test_report_and_certificate_are_of_one_product(milan):
    machine = Machine(milan)
    assert machine.evidence().refusals() == {"snp.product"}


def test_a_report_of_version_2_is_not_of_turin(turin):
    machine = Machine(turin, SimulatedChip(_TURIN_TCB, hwid=b"turin id"))
    refusals = machine.evidence(_version_2(machine, SimulatedTcb())).refusals()
    assert "snp.product" in refusals
    assert "snp.product.cpuid" not in refusals


def test_all_reasons_are_listed(machine):
    report = machine.report(policy=0xF001F, vmpl=3, committed_build=39)
    later = AT.replace(year=2040)
    evidence = replace(machine.evidence(report), at=later)
    assert evidence.refusals() == {
        "snp.policy.debug",
        "snp.policy.migration-agent",
        "snp.vmpl",
        "snp.version.provisional",
        "snp.vek.dates",
    }


def test_an_unreadable_certificate_does_not_skip_the_checks_of_the_report(machine):
    evidence = replace(machine.evidence(machine.report(vmpl=1)), vek=b"no certificate")
    assert evidence.refusals() == {"snp.vmpl", "snp.vek.certificate"}
    assert isinstance(evidence.judge().outcome, Unverified)


def test_a_product_without_pinned_authorities_is_refused(machine, milan):
    evidence = replace(machine.evidence(), roots=pinned_roots(milan))
    assert evidence.refusals() == {"snp.vek.authority"}


def _version_2(machine: Machine, tcb: SimulatedTcb | None = None):
    raw = (tcb or machine.chip.tcb).raw
    every = {f"{which}_tcb": raw for which in ("current", "reported", "committed", "launch")}
    return machine.report(version=2, cpuid_fam_id=0, cpuid_mod_id=0, cpuid_step=0, **every)
