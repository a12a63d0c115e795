"""The verdict on GPUs in detail, and the data with a date and the simulated roots beside it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ccgpu.attest import bulletins, data_age, driver_bulletins, simulated
from ccgpu.attest.gpu.roots import NVIDIA_DEVICE, NVIDIA_RIM
from ccgpu.fakeguest.evidence import rim, spdm
from ccgpu.store import policies
from support import gpus
from support.gpus import gpu
from support.vms import Judge, nonce_evidence, vm


def _shown(found, id_):
    return [(made.ok, made.expected, made.actual) for made in found.checks if made.id == id_]


def test_gpus_are_numbered_only_if_there_are_several():
    found = gpus.nonce_evidence(gpu())
    one, two = Judge("gpu-only")(found), Judge("gpu-only")(replace(found, gpus=found.gpus * 2))

    assert {name.split()[0] for name in one.facts} == {"GPU"}
    assert not [name for name in one.facts if name.startswith(("GPU 0", "GPU 1"))]
    names = [name.removeprefix("GPU ") for name in one.facts]
    assert list(two.facts) == [f"GPU {number} {name}" for number in (0, 1) for name in names]


def test_without_a_readable_chain_nothing_is_said_of_the_device():
    found = gpus.nonce_evidence(gpu())
    facts = Judge("gpu-only")(replace(found, gpus=(replace(found.gpus[0], chain=b"x"),))).facts

    assert facts["GPU driver"] == "595.71.05"
    assert not {"GPU model", "GPU ueid"} & facts.keys()


def test_manifests_that_are_missing_are_named_by_version_and_chip():
    found = gpus.nonce_evidence(gpu())
    silent = replace(found, collateral=replace(found.collateral, rims=()))
    wanted = [expected for _, expected, _ in _shown(Judge("gpu-only")(silent), "rim.present")]

    assert wanted == [
        "NV_GPU_DRIVER_GH100_595.71.05 (driver 595.71.05)",
        "NV_GPU_VBIOS_1010_0210_886_96009F0004 (vbios 96.00.9F.00.04)",
    ]


@pytest.mark.parametrize(
    ("version", "indices"), [(rim.DRIVER, rim.DRIVER_INDICES), (rim.VBIOS, rim.VBIOS_INDICES)]
)
def test_a_manifest_of_another_chip_does_not_hide_the_one_that_fits(version, indices):
    golden = {at: (spdm.measurement(at),) for at in indices}
    other = replace(rim.rim_template(version, golden), product="GH200").signed_by(gpu().rims)
    found = gpus.nonce_evidence(gpu())
    both = replace(found.collateral, rims=(other, *found.collateral.rims))

    assert Judge("gpu-only")(replace(found, collateral=both)).reasons == ()


def test_a_driver_without_fixes_is_told_by_the_name_of_nvidias_bulletin():
    facts = Judge("gpu-only")(gpus.nonce_evidence(replace(gpu(), driver="580.65.06"))).facts

    assert facts[f"GPU bulletins not covered (as of {driver_bulletins.DATE})"] == (
        "NVIDIA GPU Display Driver bulletin of May 2026 (CVE-2026-24187 and others)"
    )


def test_a_policy_shows_the_drivers_and_vbioses_it_takes():
    policy = policies.load("gpu-only").gpu
    assert policy is not None
    changed = policy.model_copy(
        update={
            "minimum_secure_drivers": ("535.1.1", "596.1.1"),
            "denied_drivers": ("595.71.05", "1.2"),
            "allowed_vbios": ("1.2",),
            "denied_vbios": ("96.00.9F.00.04",),
            "minimum_vbios": "96.00.9F.00.05",
            "minimum_driver": "595.71.06",
        }
    )
    found = Judge("gpu-only")(gpus.nonce_evidence(gpu()), gpu=changed)
    shown = {
        made.id: (made.expected, made.actual)
        for made in found.checks
        if made.id.startswith(("policy.gpu.driver", "policy.gpu.vbios")) and not made.ok
    }

    driver, vbios = "595.71.05", "96.00.9F.00.04"
    assert shown == {
        "policy.gpu.driver": ("595.71.06 or newer", driver),
        "policy.gpu.driver.security": (
            "535.1.1, 596.1.1 or newer in its branch, or a newer branch",
            driver,
        ),
        "policy.gpu.driver.denied": ("none of ('595.71.05', '1.2')", driver),
        "policy.gpu.vbios.minimum": ("96.00.9F.00.05 or newer", vbios),
        "policy.gpu.vbios": ("1.2", vbios),
        "policy.gpu.vbios.denied": ("none of ('96.00.9F.00.04',)", vbios),
    }


@pytest.mark.parametrize(
    ("minimum", "enough"),
    [
        ("96.00.9F.00.04", True),
        ("96.00.9F.00.05", False),
        ("96.00.9F.00.04.00", False),
        ("x", True),
    ],
)
def test_versions_of_a_vbios_are_compared_as_bytes(minimum, enough):
    policy = policies.load("gpu-only").gpu
    assert policy is not None
    changed = policy.model_copy(update={"minimum_vbios": minimum})
    found = Judge("gpu-only")(gpus.nonce_evidence(gpu()), gpu=changed)

    assert _shown(found, "policy.gpu.vbios.minimum") == [
        (enough, f"{minimum} or newer", "96.00.9F.00.04")
    ]


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("595.71.05", (595, 71, 5)),
        ("1", (1,)),
        ("", (-1,)),
        ("1..2", (1, -1, 2)),
        ("999999999", (999999999,)),
        ("1000000000", (-1,)),
        ("-1", (-1,)),
        ("²", (-1,)),
        ("\u0663.1", (-1, 1)),
    ],
)
def test_a_version_is_read_part_by_part(version, numbers):
    assert driver_bulletins.version_numbers(version) == numbers


def test_without_listed_branches_every_driver_has_the_fixes():
    assert driver_bulletins.has_fixes("1.2.3", ()) is True
    assert driver_bulletins.has_fixes("1.2.3", ("1.2.4",)) is False
    assert driver_bulletins.has_fixes("2", ("1.2.4",)) is True


# Data with a date


@pytest.mark.parametrize(
    ("policy", "data", "what"),
    [
        ("cpu-only", bulletins, "AMD's bulletins"),
        ("gpu-only", driver_bulletins, "NVIDIA's driver bulletins"),
    ],
)
def test_data_is_called_old_60_days_before_it_is(policy, data, what):
    notice = data.REVIEW_BY - timedelta(days=60)
    day = f"{data.REVIEW_BY:%Y-%m-%d}"

    def told(at):
        return data_age.age_warnings(policies.load(policy), at)

    assert told(notice) == ()
    start = f"{what} after {data.DATE}: ccgpu's data is"
    soon = (f"{start} good until {day}; update ccgpu",)
    assert told(notice + timedelta(seconds=1)) == soon
    assert told(data.REVIEW_BY - timedelta(seconds=1)) == soon
    assert told(data.REVIEW_BY) == (f"{start} too old since {day}; update ccgpu",)


def test_each_bulletin_has_the_vulnerability_and_date_that_amd_gives_it():
    assert {(b.id[-4:], b.product, b.cve, b.published) for b in bulletins.BULLETINS} == {
        ("3015", "Genoa", "CVE-2024-21944", "2024-12-10"),
        ("3015", "Milan", "CVE-2024-21944", "2024-12-10"),
        ("3019", "Genoa", "CVE-2024-56161", "2025-02-03"),
        ("3020", "Genoa", "CVE-2025-0033", "2025-10-13"),
        ("3027", "Genoa", "CVE-2025-29943", "2026-01-15"),
        ("3016", "Genoa", "CVE-2023-20585", "2026-04-14"),
        ("3023", "Genoa", "CVE-2025-48514", None),
        ("3034", "Genoa", "CVE-2025-54510", "2026-04-14"),
        ("3021", "Genoa", "ciphertext side channel", None),
        ("3030", "Milan", "CVE-2025-61971", None),
    }


# Roots of simulated evidence


def test_roots_of_simulated_evidence_have_names_that_other_releases_know():
    found = gpus.nonce_evidence(gpu())
    assert found.simulated_roots is not None
    assert set(found.simulated_roots) == {"ark", "ask", "asvk", "nvidia-device", "nvidia-rim"}
    assert simulated.PRODUCT == "Genoa"


def test_simulated_roots_replace_those_that_they_name_alone():
    found = nonce_evidence(vm())
    roots = simulated.simulated_roots(found)
    assert roots is not None
    assert (set(roots.amd), roots.simulated) == ({"Genoa"}, True)
    assert (roots.nvidia_device, roots.nvidia_rim) == (NVIDIA_DEVICE, NVIDIA_RIM)
    assert roots.amd["Genoa"].asvk is not None

    carried = dict(gpus.nonce_evidence(gpu()).simulated_roots or {})
    both = simulated.simulated_roots(replace(found, simulated_roots=carried))
    assert both is not None
    assert both.nvidia_device.sha256 != NVIDIA_DEVICE.sha256
    assert both.nvidia_rim.sha256 not in {NVIDIA_RIM.sha256, both.nvidia_device.sha256}
    del carried["asvk"]
    without = simulated.simulated_roots(replace(found, simulated_roots=carried))
    assert without is not None
    assert without.amd["Genoa"].asvk is None
    for role in ("ark", "ask"):
        lacking = {name: der for name, der in carried.items() if name != role}
        assert simulated.simulated_roots(replace(found, simulated_roots=lacking)) is None
    assert simulated.simulated_roots(replace(found, simulated_roots=None)) is None
