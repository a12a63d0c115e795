"""What a policy's floors refuse, each by a name of its own, and what meets them."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from ccgpu.attest import bulletins, driver_bulletins
from ccgpu.attest.appraise import AppraisalInputs
from ccgpu.domain.policy import GpuPolicy
from ccgpu.fakeguest.evidence import eventlog
from ccgpu.fakeguest.evidence.amd import SimulatedChip, SimulatedTcb
from ccgpu.fakeguest.evidence.eventlog import SHIM_LOCK, SimulatedEvent
from ccgpu.store import policies
from support import gpus
from support.gpus import gpu
from support.repository import ROOT
from support.vms import Judge, caller_question, newest_vm, nonce_evidence, pins, vm

cpu_only = Judge()
# The older key of Microsoft's, in full from a real report (Azure's Milan of 2023).
OLDER_KEY = bytes.fromhex(
    "0356215882a825279a85b300b0b742931d113bf7e32dde2e50ffde7ec743ca49"
    "1ecdd7f336dc28a6e0b2bb57af7a44a3"
)


def default(machine, one=None):
    """The verdict of `default` on this VM and its GPU, for a caller who knows what was asked."""
    return Judge("default", caller_question(machine))(gpus.bound_evidence(machine, one or gpu()))


def _having(**fields):
    return replace(vm(), report=fields)


def _strict(machine, **question):
    golden = pins(machine)
    return Judge("strict", caller_question(machine, reference_values=golden, **question))(
        gpus.bound_evidence(machine, gpu())
    )


@pytest.mark.parametrize("svn", [0, 1, 0x5, 0xA, 0x10001, 0x10009, 0x1000A])
def test_an_old_paravisor_is_rejected_by_name(svn):
    machine = _having(guest_svn=svn)
    for found in (default(machine), cpu_only(nonce_evidence(machine))):
        assert found.reasons == ("policy.guest-svn",)
        refused = next(check for check in found.checks if not check.ok)
        assert (refused.expected, refused.actual) == ("0x1000b or more", f"{svn:#x}")


@pytest.mark.parametrize("svn", [0x1000B, 0x1000C, 0x1000D, 0x20000, 0xFFFFFFFF])
def test_a_paravisor_at_the_floor_or_above_is_accepted_by_default(svn):
    assert default(_having(guest_svn=svn)).reasons == ()


def test_strict_requires_the_newest_known_paravisor():
    assert _strict(newest_vm()).reasons == ()
    older = replace(newest_vm(), report={**newest_vm().report, "guest_svn": 0x1000B})
    assert _strict(older).reasons == ("policy.guest-svn",)


def test_the_older_signing_key_is_rejected_with_its_versions():
    found = cpu_only(nonce_evidence(_having(guest_svn=0x10009, id_key_digest=OLDER_KEY)))

    assert set(found.reasons) == {"policy.id-key-digest", "policy.guest-svn"}


@pytest.mark.parametrize(
    ("mask", "launch", "now", "accepted"),
    [
        (0x6, 7, 7, True),
        (0x6, 6, 0xFFFF, True),
        (0x6, 0b1011, 7, False),
        (0x6, 7, 0b1011, False),
        (0x6, 2, 4, False),
        (0x6, 0, 0, False),
        (0x8, 7, 7, False),
        (1 << 63, 1 << 63, 1 << 63, True),
        (0, 0, 0, True),
    ],
)
def test_each_mitigation_is_required_at_launch_and_now(mask, launch, now, accepted):
    vectors = {"launch_mit_vector": launch, "current_mit_vector": now}
    machine = _having(version=5, **vectors)
    found = cpu_only(nonce_evidence(machine), cpu={"required_mitigations": mask})

    assert found.reasons == (() if accepted else ("policy.mitigations",))


@pytest.mark.parametrize("version", [3, 4])
def test_a_report_without_vectors_shows_no_mitigation(version):
    found = cpu_only(nonce_evidence(_having(version=version)), cpu={"required_mitigations": 0x6})

    assert found.reasons == ("policy.mitigations",)
    refused = next(check for check in found.checks if not check.ok)
    assert "AMD-SB-3016" in refused.expected
    assert "AMD-SB-3020" in refused.expected
    assert f"version {version}" in refused.actual


def test_provisional_firmware_is_rejected_unless_the_policy_allows_it():
    machine = _having(committed_tcb=SimulatedTcb(snp=0x17, bootloader=9), committed_build=39)
    refused = cpu_only(nonce_evidence(machine), cpu={"minimum_tcb": _no_floor()})
    assert set(refused.reasons) == {"snp.tcb.provisional", "snp.version.provisional"}

    loosened = {"unsafe_allow_provisional_firmware": True, "minimum_tcb": _no_floor()}
    found = cpu_only(nonce_evidence(machine), cpu=loosened)
    assert found.verdict == "accepted"
    assert found.unsafe == ("cpu.unsafe_allow_provisional_firmware",)


def test_the_floor_applies_to_the_committed_tcb_of_provisional_firmware():
    machine = _having(committed_tcb=SimulatedTcb(snp=0x16))
    found = cpu_only(nonce_evidence(machine), cpu={"unsafe_allow_provisional_firmware": True})

    assert found.reasons == ("policy.tcb.snp",)


def _no_floor():
    policy = policies.load("cpu-only").cpu
    assert policy is not None
    return policy.minimum_tcb.model_copy(update={"bootloader": 0})


@pytest.mark.parametrize("name", ["cpu-only", "default", "strict"])
def test_the_boot_loader_has_a_floor(name):
    policy = policies.load(name).cpu
    assert policy is not None
    assert policy.minimum_tcb.bootloader == 10
    machine = replace(vm(), chip=SimulatedChip(SimulatedTcb(bootloader=9)))
    assert cpu_only(nonce_evidence(machine)).reasons == ("policy.tcb.bootloader",)


def test_a_required_event_log_must_be_present():
    found = nonce_evidence(vm())
    assert found.cpu is not None
    without = replace(found, cpu=replace(found.cpu, event_log=None))
    wanting = {"require_event_log": True}

    assert cpu_only(without).verdict == "accepted"
    assert cpu_only(without, cpu=wanting).reasons == ("evidence.event-log.absent",)
    assert cpu_only(found, cpu=wanting).verdict == "accepted"


def _with_mok(*events):
    return replace(vm(), boot={"of_shim": events})


def _mok_variable(content, **changes):
    event = eventlog.variable_event("MokSBState", content, SHIM_LOCK, authority=True)
    return replace(event, **changes)


def _mok_logged(content, name=b"MokSBState"):
    return SimulatedEvent(14, 0x0D, name, hashlib.sha256(content).digest())


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (_mok_variable(b"\0"), "enforcing"),
        (_mok_variable(b"\1"), "not enforcing"),
        (_mok_variable(b"\xff"), "not enforcing"),
        (_mok_logged(b"\0"), "enforcing"),
        (_mok_logged(b"\1"), "not enforcing"),
        # The name beside a digest is the log's word: another does not hide it.
        (_mok_logged(b"\1", b"MokList"), "not enforcing"),
        (_mok_variable(b"\1", data=b"x", digest=_mok_variable(b"\1").sha256), "not enforcing"),
        (_mok_logged(b"something else", b"MokList"), "absent"),
    ],
)
def test_a_shim_with_disabled_validation_is_rejected(event, state):
    found = cpu_only(nonce_evidence(_with_mok(event)))

    assert found.facts["MokSBState"] == state
    refused = ("policy.secure-boot.moksb",) if state == "not enforcing" else ()
    assert found.reasons == refused
    off = {"require_secure_boot": False, "unsafe_allow_no_secure_boot": True}
    assert cpu_only(nonce_evidence(_with_mok(event)), cpu=off).reasons == ()


def test_one_good_measurement_does_not_outweigh_a_bad_one():
    machine = _with_mok(_mok_variable(b"\0"), _mok_logged(b"\1"))

    assert cpu_only(nonce_evidence(machine)).reasons == ("policy.secure-boot.moksb",)


@pytest.mark.parametrize(
    ("policy", "platform", "facts"),
    [
        (0x3001F, 0x24, ("off, allowed by the guest", "forbidden by the guest")),
        (0x2001F, 0x25, ("on, forbidden by the guest", "forbidden by the guest")),
        (0x23001F, 0x24, ("off, allowed by the guest", "allowed by the guest")),
    ],
)
def test_threads_and_cxl_are_shown(policy, platform, facts):
    found = cpu_only(nonce_evidence(_having(policy=policy, platform_info=platform)))

    assert (found.facts["SMT"], found.facts["CXL"]) == facts


def _gpu_policy(**changes) -> GpuPolicy:
    policy = policies.load("gpu-only").gpu
    assert policy is not None
    return policy.model_copy(update=changes)


@pytest.mark.parametrize(
    ("driver", "fixed"),
    [
        ("595.71.05", True),
        ("595.71.04", False),
        ("595.91.07", True),
        ("580.159.03", True),
        ("580.159.02", False),
        ("580.65.06", False),
        ("590.48.01", False),
        ("570.133.20", False),
        ("550.127.05", False),
        ("535.309.01", True),
        ("610.1.1", True),
        ("x.1", False),
        ("", False),
        ("²", False),
        ("9" * 5000, False),
    ],
)
def test_a_driver_needs_the_fixes_of_its_branch_or_a_newer_branch(driver, fixed):
    assert driver_bulletins.has_fixes(driver) is fixed


@pytest.mark.slow
def test_default_rejects_a_driver_without_security_fixes():
    old = replace(gpu(), driver="580.65.06")
    found = default(vm(), old)
    assert found.reasons == ("policy.gpu.driver.security",)

    lenient = Judge("gpu-only")(gpus.nonce_evidence(old))
    assert lenient.verdict == "accepted"
    told = [name for name in lenient.facts if name.startswith("GPU bulletins not covered")]
    assert [lenient.facts[name] for name in told] == [driver_bulletins.BULLETIN]
    assert not [
        name
        for name in Judge("gpu-only")(gpus.nonce_evidence(gpu())).facts
        if name.startswith("GPU bulletins")
    ]


@pytest.mark.parametrize(
    ("least", "reasons"),
    [
        ("96.00.9F.00.04", ()),
        ("96.00.9F.00.05", ("policy.gpu.vbios.minimum",)),
        ("96.00.A0.00.00", ("policy.gpu.vbios.minimum",)),
        ("96.00.5E.00.00", ()),
        ("95.FF.FF.FF.FF", ()),
    ],
)
def test_a_vbios_has_a_floor_in_hex(least, reasons):
    found = Judge("gpu-only")(gpus.nonce_evidence(gpu()), gpu=_gpu_policy(minimum_vbios=least))

    assert found.reasons == reasons


def _warned(found):
    return [words for words in found.not_proven if "bulletins after" in words]


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (timedelta(days=61), None),
        (timedelta(days=59), "good until"),
        (timedelta(seconds=1), "good until"),
        (timedelta(0), "too old since"),
        (timedelta(days=-400), "too old since"),
    ],
)
def test_ageing_data_gives_a_warning_in_time(before, words):
    at = bulletins.REVIEW_BY - before
    (warned,) = _warned(Judge(inputs=AppraisalInputs(at))(nonce_evidence(vm()))) or [None]

    assert (warned is None) == (words is None)
    if words is not None:
        assert bulletins.DATE in warned
        assert words in warned


def test_only_data_used_by_the_policy_gives_warnings():
    late = driver_bulletins.REVIEW_BY
    cpu = _warned(Judge("cpu-only", AppraisalInputs(late))(nonce_evidence(vm())))
    of_gpu = _warned(Judge("gpu-only", AppraisalInputs(late))(gpus.nonce_evidence(gpu())))

    assert ["AMD" in words for words in cpu] == [True]
    assert ["NVIDIA" in words for words in of_gpu] == [True]


def test_the_dates_of_the_data_match_the_docs():
    page = (ROOT / "docs" / "policies.md").read_text("utf-8")
    strict = (ROOT / "templates" / "policies" / "strict.yaml").read_text("utf-8")
    for data in (bulletins, driver_bulletins):
        for text in (page, strict):
            assert data.DATE in text
            assert f"{data.REVIEW_BY:%Y-%m-%d}" in text
    for bulletin in bulletins.BULLETINS:
        if bulletin.product == "Genoa":
            assert bulletin.id in page
            assert bulletin.published is None or bulletin.published in page
    default = policies.load("default").gpu
    assert default is not None
    assert default.minimum_secure_drivers == driver_bulletins.FIXED
