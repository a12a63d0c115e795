"""Measurements against golden values: one that is not there, or not among them, is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Checks, Unverified, Verified
from ccgpu.attest.gpu import measurements, spdm
from ccgpu.attest.gpu.measurements import GpuMeasurements, Mismatch
from ccgpu.attest.gpu.roots import NVIDIA_RIM
from ccgpu.fakeguest.evidence import rim
from support.evidence_rim import AT, driver_rim, golden_value, pinned_root, vbios_rim, verify_rim
from support.tampering import new_rim_chain

CHAIN = new_rim_chain()
ANCHOR = pinned_root(CHAIN)
ACTIVE = sorted({*rim.DRIVER_INDICES, *rim.VBIOS_INDICES})
OTHER = bytes(48)
GOOD = GpuMeasurements(
    values={index: golden_value(index) for index in range(64)},
    product="GH100",
    driver=rim.DRIVER,
    vbios=rim.VBIOS,
    nvdec_disabled=True,
)


def verified(made):
    """The outcome of a manifest that holds."""
    judged = verify_rim(made.signed_by(CHAIN), ANCHOR)
    assert judged.refusals == set()
    return judged.outcome


DRIVER, VBIOS = verified(driver_rim()), verified(vbios_rim())


def compared(measured=GOOD, of_driver=DRIVER, of_vbios=VBIOS):
    """The outcome and the reasons why it is not good."""
    checks = Checks()
    outcome = measurements.verify(measured, of_driver, of_vbios, checks)
    return outcome, [check for check in checks.made if not check.ok]


def reasons(*args, **kwargs) -> list[str]:
    """The reasons, each as often as it is given."""
    outcome, failed = compared(*args, **kwargs)
    assert isinstance(outcome, Verified) == (not failed)
    return [check.id for check in failed]


def measuring(**changes) -> GpuMeasurements:
    """The good report with other measurements (`at7=…`); None takes one away."""
    found: dict[int, bytes | None] = dict(GOOD.values)
    for name, value in changes.items():
        found[int(name.removeprefix("at"))] = value
    return replace(GOOD, values={at: value for at, value in found.items() if value is not None})


def with_golden(made, golden_values):
    """A verified manifest with other golden values."""
    return verified(rim.rim_template(made.version, golden_values))


def test_all_active_indices_are_compared_but_for_the_video_decoders():
    outcome, failed = compared()
    assert failed == []
    assert outcome.value.compared == tuple(index for index in ACTIVE if index != 35)
    assert outcome.value.skipped == (35,)


@pytest.mark.parametrize("alternative", [0, 1])
def test_each_alternative_is_good(alternative):
    assert reasons(measuring(at21=golden_value(21, alternative))) == []
    assert reasons(measuring(at21=golden_value(21, 2))) == ["golden.match"]


@pytest.mark.parametrize("index", ACTIVE)
def test_a_measurement_that_is_not_golden_is_refused(index):
    expected = [] if index == 35 else ["golden.match"]
    assert reasons(measuring(**{f"at{index}": OTHER})) == expected


def test_every_mismatch_is_named_with_both_sides():
    outcome, failed = compared(measuring(at7=OTHER, at1=golden_value(1)[::-1]))
    assert isinstance(outcome, Unverified)
    assert outcome.value.mismatches == (
        Mismatch(1, (golden_value(1),), golden_value(1)[::-1]),
        Mismatch(7, (golden_value(7), golden_value(7, 1)), OTHER),
    )
    said = [(check.id, check.expected, check.actual) for check in failed]
    both = f"{golden_value(7).hex()} or {golden_value(7, 1).hex()}"
    assert said == [
        (
            "golden.match",
            f"index 1: {golden_value(1).hex()}",
            f"index 1: {golden_value(1)[::-1].hex()}",
        ),
        ("golden.match", f"index 7: {both}", f"index 7: {OTHER.hex()}"),
    ]


@pytest.mark.parametrize("value", [b"", golden_value(7)[:47], golden_value(7) + b"\0"])
def test_a_part_of_a_golden_value_and_more_than_one_are_refused(value):
    assert reasons(measuring(at7=value)) == ["golden.match"]


def test_inactive_golden_values_are_not_compared():
    assert reasons(measuring(at63=OTHER, at13=OTHER)) == []
    assert reasons(measuring(at63=None, at13=None)) == []


def test_an_inactive_value_matches_no_measurement():
    made = driver_rim()
    off = [replace(each, active=each.active and each.index != 7) for each in made.resources]
    outcome, failed = compared(of_driver=verified(replace(made, resources=off)))
    assert failed == []
    assert 7 not in outcome.value.compared


@pytest.mark.parametrize("index", [0, 7, 40])
def test_a_missing_measurement_is_refused(index):
    outcome, failed = compared(measuring(**{f"at{index}": None}))
    assert [check.id for check in failed] == ["golden.missing"]
    assert outcome.value.missing == (index,)
    assert failed[0].actual == str(index)


# The video decoder


def test_index_35_is_compared_where_the_decoder_is_not_known_to_be_off():
    on = replace(GOOD, nvdec_disabled=False)
    assert reasons(on) == []
    assert 35 in compared(on)[0].value.compared
    assert reasons(replace(measuring(at35=OTHER), nvdec_disabled=False)) == ["golden.match"]
    assert reasons(replace(measuring(at35=None), nvdec_disabled=False)) == ["golden.missing"]


def test_no_other_index_is_ever_skipped():
    without = with_golden(driver_rim(), {7: (golden_value(7),)})
    assert compared(of_driver=without)[0].value.skipped == ()


# The manifests


def test_a_manifest_of_another_version_is_refused():
    assert reasons(replace(GOOD, driver="595.71.06")) == ["golden.driver.version"]
    assert reasons(replace(GOOD, vbios="96.00.9F.00.05")) == ["golden.vbios.version"]
    assert reasons(replace(GOOD, driver="595.71.0")) == ["golden.driver.version"]


def test_swapped_rims_are_refused():
    assert reasons(GOOD, VBIOS, DRIVER) == ["golden.driver.version", "golden.vbios.version"]


def test_a_manifest_for_another_gpu_is_refused():
    assert reasons(replace(GOOD, product="GB100")) == ["golden.product"]
    blackwell = verified(replace(vbios_rim(), product="GB100"))
    assert reasons(of_vbios=blackwell) == ["golden.product"]


def test_a_manifest_without_golden_values_is_refused():
    assert reasons(of_driver=with_golden(driver_rim(), {})) == ["golden.empty"]
    assert reasons(of_vbios=with_golden(vbios_rim(), {})) == ["golden.empty"]


def test_no_compared_value_is_no_match():
    none = with_golden(driver_rim(), {}), with_golden(vbios_rim(), {})
    assert reasons(GOOD, *none) == ["golden.empty", "golden.match"]
    nothing = replace(GOOD, values={})
    assert reasons(nothing) == ["golden.missing", "golden.match"]


def test_an_index_that_both_manifests_claim_is_refused():
    golden_values = {at: (golden_value(at),) for at in (*rim.VBIOS_INDICES, 7)}
    _, failed = compared(of_vbios=with_golden(vbios_rim(), golden_values))
    assert [check.id for check in failed] == ["golden.conflict"]
    assert failed[0].actual == "7"


@pytest.mark.parametrize("which", ["of_driver", "of_vbios"])
def test_unverified_rims_verify_nothing(which):
    manifest = {"of_driver": DRIVER, "of_vbios": VBIOS}[which].value
    outcome, failed = compared(**{which: Unverified(manifest)})
    assert failed == []
    assert isinstance(outcome, Unverified)


@pytest.mark.slow
@given(st.sampled_from([index for index in ACTIVE if index != 35]), st.integers(0, 383))
def test_one_changed_bit_is_a_mismatch(index, bit):
    value = bytearray(golden_value(index))
    value[bit // 8] ^= 1 << bit % 8
    assert reasons(measuring(**{f"at{index}": bytes(value)})) == ["golden.match"]


# What a real H100 measured


def test_a_real_report_matches_its_real_rims(vectors):
    folder = vectors / "gpu" / "h100-550.90.07"
    report = spdm.parse((folder / "report.bin").read_bytes())
    of_driver, of_vbios = (
        verify_rim((folder / name).read_bytes(), NVIDIA_RIM, at=AT.replace(year=2025)).outcome
        for name in (
            "NV_GPU_DRIVER_GH100_550.90.07.xml",
            "NV_GPU_VBIOS_1010_0200_882_96009F0001.xml",
        )
    )
    measured = GpuMeasurements(
        values={index - 1: value for index, value in report.blocks.items()},
        product="GH100",
        driver=report.opaque.driver_version,
        vbios=report.opaque.vbios_version,
        nvdec_disabled=not report.opaque.nvdec0_enabled,
    )
    outcome, failed = compared(measured, of_driver, of_vbios)
    assert failed == []
    assert len(outcome.value.compared) == 32
    assert outcome.value.skipped == (35,)
    outcome, failed = compared(replace(measured, nvdec_disabled=False), of_driver, of_vbios)
    assert failed == []
    assert len(outcome.value.compared) == 33
