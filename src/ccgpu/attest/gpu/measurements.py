"""A GPU's measurements, compared with the golden values of its driver and VBIOS manifests.

Every active index of both manifests must have one of its golden values. Each index is compared
once. If no index can be compared, that is a failure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ccgpu.attest.check import Checks, Outcome, Rule
from ccgpu.attest.gpu.rim import Manifest
from ccgpu.attest.gpu.rim_payload import Kind

_NVIDIA = "NVIDIA nvtrust, local_gpu_verifier: driver and VBIOS RIM, runtime measurements"

VERSION: Mapping[Kind, Rule] = {
    "driver": Rule("golden.driver.version", "the manifest is of the driver that runs", _NVIDIA),
    "vbios": Rule("golden.vbios.version", "the manifest is of the VBIOS that runs", _NVIDIA),
}
PRODUCT = Rule("golden.product", "the manifests are for this kind of GPU", _NVIDIA)
EMPTY = Rule("golden.empty", "each manifest has golden values", _NVIDIA)
CONFLICT = Rule("golden.conflict", "no index is active in both manifests", _NVIDIA)
MISSING = Rule("golden.missing", "the report has a measurement of every active index", _NVIDIA)
MATCH = Rule("golden.match", "every measurement is one of its golden values", _NVIDIA)

# Index of NVDEC0. It has no measurement to compare while the report says that the unit is off.
NVDEC_INDEX = 35


@dataclass(frozen=True, slots=True)
class GpuMeasurements:
    """The measurements of a GPU and what they are of.

    `values`: SHA-384 (48 bytes) by RIM index, which is that of the SPDM block less one. `product`:
    "GH100". `driver`, `vbios`: the versions that run. `nvdec_disabled`: NVDEC0_STATUS is 0x55.
    """

    values: Mapping[int, bytes]
    product: str
    driver: str
    vbios: str
    nvdec_disabled: bool


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A RIM index whose measurement (48 bytes) is none of its golden values."""

    index: int
    golden: tuple[bytes, ...]
    actual: bytes


@dataclass(frozen=True, slots=True)
class Comparison:
    """RIM indices that were compared, skipped (NVDEC is off), missing in the report, or differ."""

    compared: tuple[int, ...]
    skipped: tuple[int, ...]
    missing: tuple[int, ...]
    mismatches: tuple[Mismatch, ...]


def verify(
    measured: GpuMeasurements, driver: Outcome[Manifest], vbios: Outcome[Manifest], checks: Checks
) -> Outcome[Comparison]:
    """Check measurements; the result is verified only if both manifests are.

    Whether the report that they come from is verified is for the caller to check.
    """
    since = checks.checkpoint()
    manifests = (driver.value, vbios.value)
    checks.record_equal(VERSION["driver"], measured.driver, driver.value.version)
    checks.record_equal(VERSION["vbios"], measured.vbios, vbios.value.version)
    _check_manifests(measured, manifests, checks)
    golden = {**vbios.value.golden, **driver.value.golden}
    comparison = _compare(measured, golden)
    _check_comparison(comparison, checks)
    return checks.conclude(comparison, since, driver, vbios)


def _check_manifests(
    measured: GpuMeasurements, manifests: tuple[Manifest, Manifest], checks: Checks
) -> None:
    others = [f"{each.name}: {each.product}" for each in manifests]
    held = all(each.product == measured.product for each in manifests)
    checks.record(PRODUCT, held, measured.product, measured.product if held else others)
    counts = [f"{each.name}: {len(each.golden)}" for each in manifests]
    checks.record(EMPTY, all(each.golden for each in manifests), "1 or more in each", counts)
    one, other = manifests
    checks.record_equal(CONFLICT, [], sorted(one.golden.keys() & other.golden.keys()))


def _compare(measured: GpuMeasurements, golden: Mapping[int, tuple[bytes, ...]]) -> Comparison:
    """Compare each index once; that of NVDEC is skipped exactly if NVDEC is off."""
    off = {NVDEC_INDEX} if measured.nvdec_disabled else set()
    wanted = sorted(golden.keys() - off)
    values = measured.values
    return Comparison(
        compared=tuple(index for index in wanted if index in values),
        skipped=tuple(sorted(golden.keys() & off)),
        missing=tuple(index for index in wanted if index not in values),
        mismatches=tuple(
            Mismatch(index, golden[index], values[index])
            for index in wanted
            if index in values and values[index] not in golden[index]
        ),
    )


def _check_comparison(comparison: Comparison, checks: Checks) -> None:
    checks.record_equal(MISSING, (), comparison.missing)
    for each in comparison.mismatches:
        golden = " or ".join(value.hex() for value in each.golden)
        expected, actual = f"index {each.index}: {golden}", f"index {each.index}: "
        checks.record(MATCH, False, expected, f"{actual}{each.actual.hex()}")
    if not comparison.mismatches:
        left_out = ", but for NVDEC's 35, which is off" if comparison.skipped else ""
        count = f"{len(comparison.compared)} golden values{left_out}"
        checks.record(MATCH, bool(comparison.compared), "golden values", count)
