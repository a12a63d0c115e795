"""A GPU's measurements against NVIDIA's golden values, of the driver and the VBIOS that run.

Every active index of both manifests has to be one of its golden values; nothing is compared twice,
and nothing at all is no match. Only what is verified on all three sides makes a verified answer.
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

# NVIDIA's NVDEC0 lock: what block 35 measures is off where the report says that the unit is off.
NVDEC_INDEX = 35


@dataclass(frozen=True, slots=True)
class Measured:
    """What a GPU reports.

    `measurements` by RIM index (that of the SPDM block less one); `product`: "GH100";
    `nvdec_disabled`: NVDEC0_STATUS is 0x55. `driver` and `vbios`: the versions that run.
    """

    measurements: Mapping[int, bytes]
    product: str
    driver: str
    vbios: str
    nvdec_disabled: bool


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An index whose measurement is none of the golden values."""

    index: int
    golden: tuple[bytes, ...]
    actual: bytes


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which indices were compared, which were not although active, and which differ."""

    compared: tuple[int, ...]
    skipped: tuple[int, ...]
    missing: tuple[int, ...]
    mismatches: tuple[Mismatch, ...]


def verify(
    measured: Measured, driver: Outcome[Manifest], vbios: Outcome[Manifest], checks: Checks
) -> Outcome[Comparison]:
    """Compare; verified only if both manifests are. Whether the report is, the caller knows."""
    since = checks.mark()
    manifests = (driver.value, vbios.value)
    checks.equal(VERSION["driver"], measured.driver, driver.value.version)
    checks.equal(VERSION["vbios"], measured.vbios, vbios.value.version)
    _check_manifests(measured, manifests, checks)
    golden = {**vbios.value.golden, **driver.value.golden}
    comparison = _compare(measured, golden)
    _check(comparison, checks)
    return checks.vouch(comparison, since, driver, vbios)


def _check_manifests(
    measured: Measured, manifests: tuple[Manifest, Manifest], checks: Checks
) -> None:
    others = [f"{each.name}: {each.product}" for each in manifests]
    held = all(each.product == measured.product for each in manifests)
    checks.that(PRODUCT, held, measured.product, measured.product if held else others)
    counts = [f"{each.name}: {len(each.golden)}" for each in manifests]
    checks.that(EMPTY, all(each.golden for each in manifests), "1 or more in each", counts)
    one, other = manifests
    checks.equal(CONFLICT, [], sorted(one.golden.keys() & other.golden.keys()))


def _compare(measured: Measured, golden: Mapping[int, tuple[bytes, ...]]) -> Comparison:
    """Each index once; NVDEC's is left out exactly where NVDEC is off."""
    off = {NVDEC_INDEX} if measured.nvdec_disabled else set()
    wanted = sorted(golden.keys() - off)
    found = measured.measurements
    return Comparison(
        compared=tuple(index for index in wanted if index in found),
        skipped=tuple(sorted(golden.keys() & off)),
        missing=tuple(index for index in wanted if index not in found),
        mismatches=tuple(
            Mismatch(index, golden[index], found[index])
            for index in wanted
            if index in found and found[index] not in golden[index]
        ),
    )


def _check(comparison: Comparison, checks: Checks) -> None:
    checks.equal(MISSING, (), comparison.missing)
    for each in comparison.mismatches:
        golden = " or ".join(value.hex() for value in each.golden)
        expected, actual = f"index {each.index}: {golden}", f"index {each.index}: "
        checks.that(MATCH, False, expected, f"{actual}{each.actual.hex()}")
    if not comparison.mismatches:
        left_out = ", but for NVDEC's 35, which is off" if comparison.skipped else ""
        count = f"{len(comparison.compared)} golden values{left_out}"
        checks.that(MATCH, bool(comparison.compared), "golden values", count)
