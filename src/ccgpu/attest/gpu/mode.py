"""Checks that a GPU runs in single-GPU confidential mode.

In the other modes GPUs exchange data over links that are not part of this evidence.
"""

from ccgpu.attest.check import Checks, Rule, Verified
from ccgpu.attest.gpu import layout
from ccgpu.attest.gpu.opaque import OpaqueData
from ccgpu.attest.gpu.spdm import GpuReport

_FLAG = "NVIDIA nvtrust, local_gpu_verifier, OpaqueData, FEATURE_FLAG"
_STATUS = "NVIDIA nvtrust, local_gpu_verifier, OpaqueData, PROTECTED_PCIE_STATUS"

FLAG_ABSENT = Rule("gpu.mode.absent", "the GPU says its mode where its firmware can", _FLAG)
UNKNOWN = Rule("gpu.mode.unknown", "the mode of the GPU is a known one", _FLAG)
MULTI_GPU = Rule("gpu.mode.multi-gpu", "the GPU does not share its work with others", _FLAG)
PROTECTED_PCIE = Rule("gpu.mode.protected-pcie", "the GPU is not in protected-PCIe mode", _FLAG)
PCIE_ABSENT = Rule("gpu.pcie.absent", "the GPU says whether protected PCIe is on", _STATUS)
PCIE_ENABLED = Rule("gpu.pcie.enabled", "protected PCIe is off", _STATUS)

_NAMES = {
    layout.SINGLE_GPU: "one GPU",
    layout.MULTI_GPU: "several GPUs",
    layout.PROTECTED_PCIE: "protected PCIe",
}


def verify(report: Verified[GpuReport], checks: Checks) -> None:
    """Check that the GPU runs in single-GPU confidential mode."""
    opaque = report.value.opaque
    flag, pcie = opaque.feature_flag, opaque.protected_pcie
    mode = _NAMES.get(flag, f"mode {flag}") if flag is not None else "not said"
    one = _NAMES[layout.SINGLE_GPU]
    checks.record(FLAG_ABSENT, flag is not None or not _has_data_version(opaque), one, mode)
    checks.record(UNKNOWN, flag is None or flag in _NAMES, one, mode)
    checks.record(MULTI_GPU, flag != layout.MULTI_GPU, one, mode)
    checks.record(PROTECTED_PCIE, flag != layout.PROTECTED_PCIE, one, mode)
    if checks.record(PCIE_ABSENT, pcie is not None, "off", _switch(pcie)):
        checks.record(PCIE_ENABLED, pcie is False, "off", _switch(pcie))


def _has_data_version(opaque: OpaqueData) -> bool:
    """Whether the firmware can state the flag. Driver 550 has the PCIe status only.

    NVIDIA attestation-sdk, GpuOpaqueDataType: the flag came with version 1 of the opaque data.
    """
    return bool(opaque.data_version)


def _switch(on: bool | None) -> str:
    return {True: "on", False: "off", None: "absent"}[on]
