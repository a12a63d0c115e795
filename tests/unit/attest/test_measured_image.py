"""A VM held to a measured image: all PCRs or none, each difference with its PCR and event."""

from dataclasses import replace
from typing import Any

import pytest

from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.appraise import AppraisalInputs
from ccgpu.domain.given_image import GivenImage
from ccgpu.domain.image_pcrs import IMAGE_PCRS
from ccgpu.fakeguest.evidence import quote as quotes
from ccgpu.fakeguest.evidence import uki
from ccgpu.fakeguest.evidence.cpu import SimulatedVm
from support import workload_events
from support.measured_images import Parts
from support.measured_vms import CONFIG, MeasuredVm, given, measured_vm, passed_on
from support.vms import AT, NONCE, Judge, caller_question, nonce_evidence, pins, vm

_CPU: dict[str, Any] = {
    "require_secure_boot": False,
    "require_image": True,
    "require_event_log": True,
    "required_pcrs": (*range(10), *range(11, 16)),
}
_ROOT = "the root file system: the quoted PCRs cover firmware and boot chain, not files"
_FIRST_BOOT = "the first boot: the host hands over cloud-init's data (customData), which"
_BUILDER = "the image's builder"


def judge(
    machine: SimulatedVm,
    image: GivenImage | None,
    *,
    cpu: dict[str, Any] | None = None,
    **more: Any,
) -> Appraisal:
    """The verdict by what `measured` asks of the CPU."""
    inputs = replace(AppraisalInputs(AT, nonce=NONCE, image=image), **more)
    return Judge("cpu-only", inputs)(nonce_evidence(machine), cpu=_CPU | (cpu or {}))


def failed(found: Appraisal) -> dict[str, str]:
    """What was found, by reason code and PCR."""
    return {
        f"{check.id} {check.actual.split(': ')[0].split()[1]}": check.actual.partition(": ")[2]
        for check in found.checks
        if not check.ok
    }


def open_lines(found: Appraisal) -> str:
    return "\n".join(found.not_proven)


@pytest.mark.parametrize("stub", [252, 255, 257])
@pytest.mark.parametrize("config", [None, CONFIG])
def test_the_image_is_accepted_and_proves_more(stub, config):
    parts = Parts(wide=False, stub=stub)
    found = judge(measured_vm(config, parts), given(config, parts))
    assert found.verdict == "accepted", found.reasons
    shown = open_lines(found)
    assert _ROOT not in shown
    assert _FIRST_BOOT not in shown
    assert _BUILDER in shown
    assert "ACPI tables and the serial console" in shown
    assert "by whoever may log in" in shown
    assert "the firmware and its settings, PCR 0 to 3, 5, 7: no golden" in shown
    assert "the boot chain: no golden" not in shown


def test_the_facts_name_the_image():
    image = given(CONFIG)
    facts = judge(measured_vm(CONFIG), image).facts
    assert facts["image"] == "tiny 1.2.3"
    assert facts["image manifest (SHA-256)"] == image.file.sha256
    assert facts["image packages"] == "2: busybox-static 1:1.35.0-4, tpm2-tools 5.4-1"
    assert facts["image containers"].startswith("1: docker.io/x/y:1 sha256:aaaa")
    assert image.config is not None
    assert facts["config (SHA-256)"] == image.config.sha256
    assert facts["handed to the kernel"].startswith("kernel command line ")
    assert "kernel, as the log names it" not in facts  # a section of a UKI is no file
    without = judge(measured_vm(), given()).facts
    assert without["config (SHA-256)"] == "none was given"


def test_without_a_manifest_there_is_no_proof():
    found = judge(measured_vm(), None)
    assert found.reasons == ("policy.image.absent",)
    assert _ROOT in open_lines(found)


@pytest.mark.parametrize("more", ["recording", "reference_values"])
def test_recording_and_golden_values_never_stand_in(more):
    machine = measured_vm()
    given_instead: dict[str, Any] = {"recording": True, "reference_values": pins(machine)}
    found = judge(machine, None, cpu=None, **{more: given_instead[more]})
    assert found.reasons == ("policy.image.absent",)


def test_golden_values_of_the_firmware_go_along():
    machine = measured_vm()
    found = judge(machine, given(), reference_values=pins(machine))
    assert found.verdict == "accepted"
    shown = open_lines(found)
    assert "never compared with golden values: 6 (the VM's id, a check of its own), 10" in shown
    assert "workloads, or system extensions" not in shown
    assert "machine id" not in shown


def test_a_policy_that_does_not_ask_for_an_image_holds_to_a_given_one():
    found = judge(vm(), given(), cpu={"require_image": False, "require_secure_boot": True})
    assert "policy.image.pcr" in found.reasons
    assert _ROOT in open_lines(found)
    lax = {"require_image": False, "unsafe_allow_no_secure_boot": True}
    same = judge(measured_vm(), given(), cpu=lax)
    assert same.verdict == "accepted"
    assert _ROOT not in open_lines(same)


def test_a_verdict_that_is_rejected_for_another_reason_proves_no_files():
    found = judge(measured_vm(), given(), cpu={"minimum_guest_svn": 0xFFFFFF})
    assert found.reasons == ("policy.guest-svn",)
    assert _ROOT in open_lines(found)
    assert _BUILDER not in open_lines(found)


def test_another_config_is_named():
    found = judge(measured_vm(b"other"), given(CONFIG))
    assert failed(found) == {"policy.image.config 8": "the VM was given another config"}
    found = judge(measured_vm(), given(CONFIG))
    assert failed(found) == {"policy.image.config 8": "the VM was given no config"}
    found = judge(measured_vm(CONFIG), given())
    assert failed(found) == {"policy.image.config 8": "the VM was given another config"}
    assert _ROOT in open_lines(found)


def test_one_word_more_on_the_command_line_is_named():
    other = Parts(wide=False, command_line="console=ttyS0 quiet roothash={} debug")
    wrong = failed(judge(measured_vm(parts=other), given()))
    assert wrong.keys() == {"policy.image.pcr 4", "policy.image.pcr 9", "policy.image.pcr 11"}
    assert wrong["policy.image.pcr 9"].startswith("kernel command line changed; expected SHA-256")
    assert wrong["policy.image.pcr 11"].startswith("kernel command line changed; expected SHA-256")
    assert wrong["policy.image.pcr 4"].startswith("default boot loader changed; expected SHA-256")


def test_another_root_is_named():
    other = Parts(wide=False, root=bytes(8192))
    wrong = failed(judge(measured_vm(parts=other), given()))
    assert wrong.keys() == {"policy.image.pcr 4", "policy.image.pcr 9", "policy.image.pcr 11"}


def with_more(*events: Any) -> MeasuredVm:
    return replace(measured_vm(), more=events)


@pytest.mark.parametrize(
    ("event", "code", "named"),
    [
        (
            passed_on(12, "init=/bin/sh"),
            "policy.image.added 12",
            "kernel command line added; found SHA-256",
        ),
        (
            passed_on(12, "Credentials initrd", b"cpio"),
            "policy.image.added 12",
            "credentials from outside the UKI added; found SHA-256",
        ),
        (
            passed_on(12, "Configuration extension initrd", b"cpio"),
            "policy.image.added 12",
            "configuration extensions from outside the UKI added",
        ),
        (
            passed_on(12, "Other initrd", b"cpio"),
            "policy.image.added 12",
            "files passed on by the boot stub added",
        ),
        (
            passed_on(13, "System extension initrd", b"cpio"),
            "policy.image.workloads 13",
            "system extensions from outside the UKI added",
        ),
        (passed_on(14, "x"), "policy.image.added 14", "measurement of shim added"),
        (passed_on(15, "x"), "policy.image.added 15", "added; found"),
        (
            uki.tagged_event(0x8F3B22EC, b"Linux initrd", b"1" * 32),
            "policy.image.pcr 9",
            "initrd added; found SHA-256 3131",
        ),
        (
            uki.started_event("11" * 32, r"\loader\addons\x.addon.efi"),
            "policy.image.pcr 4",
            r"EFI image added; found SHA-256 1111",
        ),
    ],
)
def test_what_a_host_adds_is_named(event, code, named):
    wrong = failed(judge(with_more(event), given()))
    assert [*wrong] == [code]
    assert named in wrong[code]


def test_a_credential_changes_no_boot_program():
    """The reason why 4 and 11 alone would prove nothing."""
    machine = with_more(passed_on(12, "Credentials initrd", b"cpio"))
    changed, plain = machine.pcrs, measured_vm().pcrs
    assert judge(machine, given()).reasons == ("policy.image.added",)
    assert {index for index in IMAGE_PCRS if changed[index] != plain[index]} == {12}


def test_a_measurement_after_the_log_is_told():
    class Extended(MeasuredVm):
        __slots__ = ()

        @property
        def pcrs(self) -> dict[int, bytes]:
            before: dict[int, bytes] = MeasuredVm.pcrs.fget(self)  # type: ignore[attr-defined]
            return before | {12: b"\7" * 32}

    base = measured_vm()
    later = Extended(base.amd, base.ak, configuration=base.configuration, uki=base.uki)
    wrong = failed(judge(later, given()))
    assert wrong == {
        "policy.image.added 12": "the log has the recorded events: something was measured after"
        " its end"
    }


def test_secure_boot_on_is_another_boot():
    on = replace(measured_vm(), secure_boot=True, configuration={})
    assert judge(on, given()).verdict == "accepted"  # the simulated kernel is measured anyway
    assert judge(on, given(), cpu={"require_secure_boot": True}).verdict == "accepted"


@pytest.mark.parametrize("index", IMAGE_PCRS)
def test_no_pcr_may_be_left_out_of_the_quote(index):
    machine = measured_vm()
    evidence = nonce_evidence(machine)
    assert evidence.cpu is not None
    values = {each: value for each, value in machine.pcrs.items() if each != index}
    message = quotes.QuoteTemplate(values, NONCE).raw
    part = replace(
        evidence.cpu,
        quote=message,
        signature=quotes.sign_quote(machine.ak, message),
        pcrs=values,
    )
    inputs = AppraisalInputs(AT, nonce=NONCE, image=given())
    required = tuple(each for each in _CPU["required_pcrs"] if each != index)
    found = Judge("cpu-only", inputs)(
        replace(evidence, cpu=part), cpu=_CPU | {"required_pcrs": required}
    )
    assert "policy.image.unquoted" in found.reasons
    assert _ROOT in open_lines(found)
    asked = Judge("cpu-only", inputs)(replace(evidence, cpu=part), cpu=_CPU)
    assert "vtpm.pcrs.required" in asked.reasons


def test_workloads_that_the_image_started_are_pinned_by_their_log():
    lines = (workload_events.encode(workload_events.event()),)
    machine = replace(measured_vm(), workloads=lines)
    found = judge(machine, given())
    assert found.verdict == "accepted"
    assert "the workloads: what they do once they run" in open_lines(found)
    assert "whose root file system is not measured" not in open_lines(found)
    evidence = nonce_evidence(machine)
    assert evidence.cpu is not None
    inputs = AppraisalInputs(AT, nonce=NONCE, image=given())
    lost = Judge("cpu-only", inputs)(
        replace(evidence, cpu=replace(evidence.cpu, workload_log=None)), cpu=_CPU
    )
    assert lost.reasons == ("policy.image.workloads",)
    other = workload_events.log_of(workload_events.event("other"))
    forged = Judge("cpu-only", inputs)(
        replace(evidence, cpu=replace(evidence.cpu, workload_log=other)), cpu=_CPU
    )
    assert set(forged.reasons) == {"workloads.log.replay", "policy.image.workloads"}


def test_a_quote_that_is_not_verified_proves_no_image():
    machine = measured_vm()
    inputs = replace(caller_question(machine), nonce=bytes(32), image=given())
    found = Judge("cpu-only", inputs)(nonce_evidence(machine), cpu=_CPU)
    assert found.verdict == "rejected"
    assert "policy.image.unquoted" in found.reasons
    assert _ROOT in open_lines(found)


def test_the_verdict_rests_on_the_callers_manifest():
    assert ("image manifest", "caller") in judge(measured_vm(), given()).rests_on
    assert ("image manifest", "nobody") in judge(measured_vm(), None).rests_on
    plain = judge(vm(), None, cpu={"require_image": False})
    assert "image manifest" not in dict(plain.rests_on)
