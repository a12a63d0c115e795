"""Ties a boot to the VM that the runtime claims name.

The firmware of Azure's confidential VMs measures the VM's id to PCR 6 before anything of the guest
runs, and nothing else but its separator. So the value is known in advance.
"""

import hashlib
from collections.abc import Mapping

from ccgpu.attest.check import Checks, Rule, Verified
from ccgpu.attest.hcl.claims import RuntimeClaims
from ccgpu.attest.vtpm import layout

BOOT_VM = Rule(
    "vtpm.pcr6.vm-id",
    "the firmware measured vmUniqueId of the runtime claims (PCR 6)",
    "microsoft/mu_msvm, VmMeasurementDxe.c",
)

PCR = 6
_SEPARATOR = bytes(4)  # EV_SEPARATOR, TCG PFP 1.05, §10.4.1


def expected_value(vm_unique_id: str) -> bytes:
    """PCR 6 (SHA-256) after the boot of the VM with this id."""
    value = bytes(layout.DIGEST_SIZE)
    for measured in (f"UUID: {vm_unique_id.upper()}".encode(), _SEPARATOR):
        value = hashlib.sha256(value + hashlib.sha256(measured).digest()).digest()
    return value


def check_boot_vm(
    claims: Verified[RuntimeClaims], pcrs: Mapping[int, bytes], checks: Checks
) -> None:
    """Check PCR 6 of a verified quote (index to 32 bytes), if it is quoted.

    A policy demands that it is by `required_pcrs`.
    """
    if PCR in pcrs:
        checks.record_equal(BOOT_VM, expected_value(claims.value.vm_unique_id), pcrs[PCR])
