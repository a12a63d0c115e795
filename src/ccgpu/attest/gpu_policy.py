"""The appraisal policy for GPUs. It takes a `Verified` report only.

CC mode and developer tools are stated by the guest: no signed bit holds them. The ready state is
recorded but not checked, since it is set after the verdict.
"""

from ccgpu.attest import driver_bulletins
from ccgpu.attest.check import Checks, Rule, Verified
from ccgpu.attest.driver_bulletins import version_numbers
from ccgpu.attest.gpu import mode
from ccgpu.attest.gpu.chain import DeviceChain
from ccgpu.attest.gpu.spdm import GpuReport
from ccgpu.domain.evidence import ReportedGpuState
from ccgpu.domain.policy import GpuPolicy

_NVML = "NVIDIA NVML, nvmlSystemGetConfComputeState"
_ADVISORY = "NVIDIA, driver RIM advisory of 2025-05-06"

COUNT = Rule("policy.gpu.count", "there are as many GPUs as the policy says", "the policy, count")
ARCHITECTURE = Rule(
    "policy.gpu.architecture", "the GPU is of an accepted architecture", "the policy"
)
DRIVER = Rule("policy.gpu.driver", "the driver is new enough", _ADVISORY)
DRIVER_FIXES = Rule(
    "policy.gpu.driver.security",
    "the driver has NVIDIA's security fixes for its branch",
    driver_bulletins.BULLETIN,
)
DRIVER_DENIED = Rule(
    "policy.gpu.driver.denied", "the driver is not one that the policy denies", _ADVISORY
)
VBIOS = Rule("policy.gpu.vbios", "the VBIOS is one that the policy accepts", "the policy")
VBIOS_OLD = Rule(
    "policy.gpu.vbios.minimum",
    "the VBIOS is new enough",
    "NVIDIA Confidential Computing release notes; the policy",
)
VBIOS_DENIED = Rule(
    "policy.gpu.vbios.denied", "the VBIOS is not one that the policy denies", "the policy"
)
STATE_ABSENT = Rule("policy.gpu.state.absent", "the guest tells the state of the GPU", _NVML)
CC_MODE = Rule("policy.gpu.cc-mode", "the guest says that confidential computing is on", _NVML)
DEV_TOOLS = Rule("policy.gpu.dev-tools", "the guest says that developer tools are off", _NVML)


def check_count(count: int, policy: GpuPolicy, checks: Checks) -> None:
    """Check the number of GPUs."""
    checks.record_equal(COUNT, policy.count, count)


def check_gpu(
    verified: Verified[GpuReport],
    device: DeviceChain,
    state: ReportedGpuState | None,
    policy: GpuPolicy,
    checks: Checks,
) -> None:
    """Check one GPU: architecture, mode, driver, VBIOS, and the state that the guest stated."""
    opaque = verified.value.opaque
    known = device.arch in policy.architectures
    checks.record(ARCHITECTURE, known, policy.architectures, device.arch)
    mode.verify(verified, checks)
    check_driver(opaque.driver_version, policy, checks)
    _check_vbios(opaque.vbios_version, policy, checks)
    _check_state(state, policy, checks)


def check_driver(driver: str, policy: GpuPolicy, checks: Checks) -> None:
    """Check the driver: at the floor, with the security fixes of its branch, not denied."""
    enough = version_numbers(driver) >= version_numbers(policy.minimum_driver)
    checks.record(DRIVER, enough, f"{policy.minimum_driver} or newer", driver)
    if (floors := policy.minimum_secure_drivers) != ():
        fixed = driver_bulletins.has_fixes(driver, floors)
        expected = f"{', '.join(floors)} or newer in its branch, or a newer branch"
        checks.record(DRIVER_FIXES, fixed, expected, driver)
    allowed = driver not in policy.denied_drivers
    checks.record(DRIVER_DENIED, allowed, f"none of {policy.denied_drivers}", driver)


def _check_vbios(vbios: str, policy: GpuPolicy, checks: Checks) -> None:
    """Check the VBIOS: at the floor, on the allowed list if there is one, not denied."""
    least = policy.minimum_vbios
    checks.record(VBIOS_OLD, _vbios_bytes(vbios) >= _vbios_bytes(least), f"{least} or newer", vbios)
    if policy.allowed_vbios:
        checks.record(VBIOS, vbios in policy.allowed_vbios, policy.allowed_vbios, vbios)
    if policy.denied_vbios:
        denied = vbios in policy.denied_vbios
        checks.record(VBIOS_DENIED, not denied, f"none of {policy.denied_vbios}", vbios)


def _vbios_bytes(version: str) -> bytes:
    """The bytes of a VBIOS version, for comparison; empty, older than any, if it is not hex."""
    try:
        return bytes.fromhex(version.replace(".", ""))
    except ValueError:
        return b""


def _check_state(state: ReportedGpuState | None, policy: GpuPolicy, checks: Checks) -> None:
    """Check the stated state: it must be good if present, and present if required."""
    if state is None:
        if policy.require_state:
            checks.record(STATE_ABSENT, False, "CC mode and developer tools", None)
        return
    checks.record_equal(CC_MODE, True, state.cc_mode)
    checks.record_equal(DEV_TOOLS, False, state.dev_tools)
