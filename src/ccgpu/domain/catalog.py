"""The ARM resource types that ccgpu handles, and facts about sizes, regions, images and disks.

Facts that Azure can change (regions, images) are defaults, never limits: the SKU and image APIs
decide. The API versions are those of the pinned SDK; a test compares them with its requests.
"""

from enum import StrEnum


class Kind(StrEnum):
    """An ARM resource type, as ARM spells it."""

    GROUP = "Microsoft.Resources/resourceGroups"
    NSG = "Microsoft.Network/networkSecurityGroups"
    VNET = "Microsoft.Network/virtualNetworks"
    PUBLIC_IP = "Microsoft.Network/publicIPAddresses"
    NAT = "Microsoft.Network/natGateways"
    NIC = "Microsoft.Network/networkInterfaces"
    DISK = "Microsoft.Compute/disks"
    VM = "Microsoft.Compute/virtualMachines"
    GALLERY = "Microsoft.Compute/galleries"
    GALLERY_IMAGE = "Microsoft.Compute/galleries/images"
    GALLERY_VERSION = "Microsoft.Compute/galleries/images/versions"


# The documented size of the series, and regions: Microsoft Learn, "NCCadsH100v5 size series".
NCC_H100_V5 = "Standard_NCC40ads_H100_v5"
NCC_VCPUS = 40
NCC_MAX_DATA_DISKS = 8
# `ccgpu list` shows a size without its prefix, and a spec may name it so.
NCC_SIZE_PATTERN = r"(?:Standard_)?NCC(\d+)ads_H100_v(\d+)"
REGIONS = ("eastus2", "westeurope", "centralus")

# Quota family: Azure/az-cgpu-onboarding, docs/CGPU-Quota.md. Compared without case and spaces.
NCC_QUOTA_FAMILY = "StandardNCCads2023Family"

# Clean Ubuntu with the confidential-VM kernel: Azure/az-cgpu-onboarding, auto-onboarding script.
DEFAULT_IMAGE = "Canonical:ubuntu-24_04-lts:cvm:latest"


# What the pinned SDK sends: azure-mgmt-resource 26.0.0, network 33.1.0, compute 39.0.0.
_NETWORK = "2026-03-01"
_GALLERIES = "2026-03-03"
API_VERSIONS = {
    Kind.GROUP: "2025-04-01",
    Kind.NSG: _NETWORK,
    Kind.VNET: _NETWORK,
    Kind.PUBLIC_IP: _NETWORK,
    Kind.NAT: _NETWORK,
    Kind.NIC: _NETWORK,
    Kind.DISK: "2026-03-02",
    Kind.VM: "2026-04-01",
    Kind.GALLERY: _GALLERIES,
    Kind.GALLERY_IMAGE: _GALLERIES,
    Kind.GALLERY_VERSION: _GALLERIES,
}

# Disks of a confidential VM: Azure/az-cgpu-onboarding, docs/template.json (OS disk); Microsoft
# Learn, "Azure managed disk types" (data disks). Ultra and Premium v2 cannot hold an OS disk and
# confidential VMs do not take Ultra; neither is offered.
DISK_TYPES = ("Premium_LRS", "StandardSSD_LRS", "Standard_LRS")
OS_DISK_GIB = (30, 4095)
DATA_DISK_GIB = (1, 32767)

# Most bytes of customData before its encoding: Microsoft Learn, "Custom data and cloud-init".
MAX_CUSTOM_DATA = 65_535

# Microsoft Learn, "Use tags to organize your Azure resources". `ccgpu` keeps eight for itself.
MAX_TAGS = 50
OWN_TAGS = 8
OWN_TAG_PREFIX = "ccgpu-"
MAX_TAG_NAME = 512
MAX_TAG_VALUE = 256
