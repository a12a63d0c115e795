"""The resource types of the fake in ARM's spelling, and their API versions.

The versions are those that the pinned SDK sends (azure-mgmt-compute 39.0.0, -network 33.1.0,
-resource 26.0.0; `tests/contract` compares). Any other version is a gap.
"""

GROUP = "Microsoft.Resources/resourceGroups"
NSG = "Microsoft.Network/networkSecurityGroups"
VNET = "Microsoft.Network/virtualNetworks"
PUBLIC_IP = "Microsoft.Network/publicIPAddresses"
NAT = "Microsoft.Network/natGateways"
NIC = "Microsoft.Network/networkInterfaces"
DISK = "Microsoft.Compute/disks"
DES = "Microsoft.Compute/diskEncryptionSets"
VM = "Microsoft.Compute/virtualMachines"
IMAGE = "Microsoft.Compute/images"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
GALLERY = "Microsoft.Compute/galleries"
GALLERY_IMAGE = f"{GALLERY}/images"
GALLERY_VERSION = f"{GALLERY_IMAGE}/versions"
# Users' own resources, which the fake does not accept through ARM.
VAULT = "Microsoft.KeyVault/vaults"
LOCK = "Microsoft.Authorization/locks"
POLICY = "Microsoft.Authorization/policyAssignments"
ROLE_ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
ROLE_DEFINITION = "Microsoft.Authorization/roleDefinitions"
SUBNET = f"{VNET}/subnets"
SECURITY_RULE = f"{NSG}/securityRules"

RESOURCES_API = "2025-04-01"
# The SDK packages in use have no clients for these three: the newest stable versions.
SUBSCRIPTIONS_API = "2022-12-01"
IDENTITY_API = "2024-11-30"
AUTHORIZATION_API = "2022-04-01"  # of permissions, role assignments and definitions
NETWORK_API = "2026-03-01"
COMPUTE_API = "2026-04-01"
DISK_API = "2026-03-02"
LOCK_API = "2020-05-01"
GALLERY_API = "2026-03-03"
VAULT_API = "2024-11-01"
SKU_API = "2021-07-01"
GRAPH_API = "2022-10-01"

API = {
    GROUP: RESOURCES_API,
    NSG: NETWORK_API,
    VNET: NETWORK_API,
    PUBLIC_IP: NETWORK_API,
    NAT: NETWORK_API,
    NIC: NETWORK_API,
    DISK: DISK_API,
    DES: DISK_API,
    VM: COMPUTE_API,
    IDENTITY: IDENTITY_API,
    GALLERY: GALLERY_API,
    GALLERY_IMAGE: GALLERY_API,
    GALLERY_VERSION: GALLERY_API,
}


def is_nested(kind: str) -> bool:
    """Whether resources of this type are part of another one, such as a gallery's images."""
    return kind.count("/") > 1


def list_path(kind: str) -> str:
    """The path of a type's resources after `providers/`, in lower case, with `*` for names."""
    namespace, *words = kind.lower().split("/")
    return f"{namespace}/{'/*/'.join(words)}"
