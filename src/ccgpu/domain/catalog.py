"""The kinds of ARM resource `ccgpu` handles, and what is known of sizes, regions and images.

Facts that Azure can change (regions, images) are defaults, never limits: the SKU and image
APIs decide. API versions are those the pinned SDK sends; a test compares them with its requests.
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


# The documented size of the series, and regions: Microsoft Learn, "NCCadsH100v5 size series".
NCC_H100_V5 = "Standard_NCC40ads_H100_v5"
NCC_VCPUS = 40
NCC_MAX_DATA_DISKS = 8
REGIONS = ("eastus2", "westeurope", "centralus")

# Quota family: Azure/az-cgpu-onboarding, docs/CGPU-Quota.md. Compared without case and spaces.
NCC_QUOTA_FAMILY = "StandardNCCads2023Family"

# Clean Ubuntu with the confidential-VM kernel: Azure/az-cgpu-onboarding, auto-onboarding script.
DEFAULT_IMAGE = "Canonical:ubuntu-24_04-lts:cvm:latest"
