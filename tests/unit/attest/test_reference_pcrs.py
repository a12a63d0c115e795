"""Quoted PCRs against golden values: what differs is refused, and the changed event is named."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from ccgpu.attest import reference_pcrs
from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.appraise import AppraisalInputs
from ccgpu.attest.check import Checks
from ccgpu.attest.tpm_quote import QuoteResult
from ccgpu.attest.vtpm import eventlog
from ccgpu.attest.vtpm.event_names import name_events
from ccgpu.domain.reference_values import PINNED_PCRS, RecordedEvent, ReferenceValues
from ccgpu.fakeguest.evidence.cpu import SimulatedVm
from support.vms import AT, Judge, nonce_evidence, pins, vm


def test_golden_values_are_shown_beside_the_quoted_ones():
    golden = ReferenceValues(image="x", pcrs={"7": "07" * 32, "8": "00" * 32, "9": "00" * 32})
    checks = Checks()
    quoted = QuoteResult(pcrs={8: b"\x08" * 32, 7: b"\x07" * 32})
    reference_pcrs.check(quoted, golden, checks, required=True)

    assert [(made.id, made.ok, made.expected, made.actual) for made in checks.made] == [
        ("policy.pins.pcr", True, f"PCR 7 {'07' * 32}", f"PCR 7 {'07' * 32}"),
        ("policy.pins.pcr", False, f"PCR 8 {'00' * 32}", f"PCR 8 {'08' * 32}"),
        ("policy.pins.unquoted", False, "PCR 9", "7, 8"),
    ]


def test_a_golden_value_that_was_not_quoted_does_not_end_the_comparison():
    golden = ReferenceValues(image="x", pcrs={"1": "00" * 32, "7": "07" * 32})
    checks = Checks()
    reference_pcrs.check(QuoteResult(pcrs={7: b"\x07" * 32}), golden, checks, required=False)

    assert [made.id for made in checks.made] == ["policy.pins.unquoted", "policy.pins.pcr"]


@pytest.mark.parametrize("required", [True, False])
def test_golden_values_are_missed_only_if_they_are_required(required):
    checks = Checks()
    reference_pcrs.check(QuoteResult(pcrs={7: bytes(32)}), None, checks, required=required)

    assert [(made.id, made.ok, made.expected, made.actual) for made in checks.made] == (
        [("policy.pins.absent", False, "golden values", "absent")] if required else []
    )


def _judged(before: SimulatedVm, after: SimulatedVm, **shown: Any) -> Appraisal:
    """The verdict on a boot, with the values and events of an earlier one."""
    log = eventlog.parse(before.events.raw)
    events: dict[str, list[RecordedEvent]] = {}
    for one in name_events(log, frozenset()):
        if one.pcr in PINNED_PCRS:
            event = RecordedEvent(what=one.what, detail=one.detail, sha256=one.digest.hex())
            events.setdefault(str(one.pcr), []).append(event)
    recorded = {key: tuple(those) for key, those in events.items()}
    golden = pins(before).model_copy(update={"events": recorded} | shown)
    return Judge(inputs=AppraisalInputs(AT, reference_values=golden))(nonce_evidence(after))


def _failed(found: Appraisal) -> dict[str, str]:
    """What was found in each PCR that differs."""
    assert set(found.reasons) <= {"policy.pins.pcr"}
    return {check.actual.split()[1]: check.actual for check in found.checks if not check.ok}


def test_a_new_initrd_is_named():
    failed = _failed(_judged(vm(), replace(vm(), boot={"initrd": b"new"})))

    old, new = (hashlib.sha256(content).hexdigest() for content in (b"initrd", b"new"))
    assert failed.keys() == {"9"}
    assert failed["9"].partition(": ")[2] == (
        f"initrd changed; expected SHA-256 {old} (/boot/initrd.img), "
        f"found SHA-256 {new} (/boot/initrd.img)"
    )


def test_each_pcr_names_its_own_events():
    changed = {"kernel": b"new", "version": "-2", "command_line": "ro quiet"}
    failed = _failed(_judged(vm(), replace(vm(), boot=changed)))

    assert failed.keys() == {"4", "8", "9"}
    assert "EFI application from memory changed" in failed["4"]
    assert "kernel command line changed" in failed["8"]
    assert "(ro quiet)" in failed["8"]
    assert "kernel changed" in failed["9"]
    assert "(/boot/vmlinuz-2)" in failed["9"]
    assert "initrd" not in failed["9"]


def test_without_events_only_the_values_are_shown():
    failed = _failed(_judged(vm(), replace(vm(), boot={"initrd": b"new"}), events={}))
    assert failed["9"] == f"PCR 9 {replace(vm(), boot={'initrd': b'new'}).pcrs[9].hex()}"


def test_the_same_boot_of_another_vm_is_accepted():
    other = replace(vm(), vm_id="11111111-2222-3333-4444-555555555555")

    assert other.pcrs[6] != vm().pcrs[6]
    assert _judged(vm(), other).verdict == "accepted"


def test_the_verdict_says_which_pcrs_are_not_compared():
    lines = _judged(vm(), vm()).not_proven
    (never,) = [line for line in lines if line.startswith("PCRs that are never compared")]

    assert [f"{index} (" in never for index in (6, 10, 13, 15)] == [True] * 4
    assert "17 to 22 (" in never
    assert "16, 23 (" in never
    few = _judged(vm(), vm(), pcrs={"7": vm().pcrs[7].hex()}, events={}).not_proven
    assert "PCR 0 to 5, 8, 9, 11, 12, 14: the file of golden values does not have them" in few
    assert not any(line.startswith("PCR ") for line in lines)
