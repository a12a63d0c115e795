"""The section `os_disk`: the disk that the VM boots from."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from ccgpu.domain import catalog, references
from ccgpu.domain.spec.fields import DiskType, Gib
from ccgpu.domain.spec.flags import DISKS, Flag
from ccgpu.domain.spec.rules import FieldRule
from ccgpu.domain.spec.section import Section


class DiskEncryption(StrEnum):
    """How much of the OS disk only the VM itself can read."""

    FULL = "full"
    STATE_ONLY = "state-only"

    @property
    def arm(self) -> str:
        """ARM's word for it: `securityEncryptionType` of the compute API."""
        return "DiskWithVMGuestState" if self is DiskEncryption.FULL else "VMGuestStateOnly"


def _encryption_set(value: str) -> str:
    return references.canonical_id(value, references.DISK_ENCRYPTION_SET)


class OsDisk(Section):
    """The disk that the VM boots from."""

    size_gib: Annotated[
        Gib,
        Field(ge=catalog.OS_DISK_GIB[0], le=catalog.OS_DISK_GIB[1], description="Size in GiB."),
        Flag("Size of the OS disk.", "GIB", ("--os-disk-gib",), DISKS),
    ] = 256
    type: Annotated[DiskType, Field(description="Kind of storage; Premium_LRS is the fastest.")] = (
        "Premium_LRS"
    )
    encryption: Annotated[
        DiskEncryption,
        Field(
            description="full: the whole disk is encrypted for this VM alone, and needs "
            "secure_boot; creation takes up to half an hour. state-only: only the vTPM's state is."
        ),
        Flag("Confidential encryption of the OS disk.", names=("--disk-encryption",), panel=DISKS),
    ] = DiskEncryption.FULL
    encryption_set: Annotated[
        Annotated[str, AfterValidator(_encryption_set)] | None,
        Field(
            description="ARM id of a disk encryption set of type "
            "ConfidentialVmEncryptedWithCustomerKey; needs encryption: full."
        ),
        Flag(
            "Disk encryption set with your own key (id).", "ID", ("--disk-encryption-set",), DISKS
        ),
    ] = None

    rules: ClassVar["tuple[FieldRule[OsDisk], ...]"] = (
        # azurerm, linux_virtual_machine: `secure_vm_disk_encryption_set_id`.
        FieldRule(
            ("encryption_set",),
            (("encryption",), ("encryption_set",)),
            lambda disk: (
                disk.encryption_set is not None and disk.encryption is not DiskEncryption.FULL
            ),
            "needs os_disk.encryption full: with state-only Azure uses its own key",
        ),
    )
