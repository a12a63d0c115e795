"""The resource types that can be added, and the fields of `properties` that a GET returns for each.

Names are those of the API versions in `kinds`. Read-only fields are accepted and then set by the
fake, except those in `KEPT_PROPERTIES`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ccgpu.fakearm import kinds
from ccgpu.fakearm.call import ArmCall
from ccgpu.fakearm.resources import addresses, disks, groups, networks, security_groups
from ccgpu.fakearm.wire import Response


@dataclass(frozen=True, slots=True)
class SeedKind:
    """How a type is checked. `put` is ARM's handler; without one, the resource is stored as given.

    `foreign`: it may be in another subscription. `located`: it has a region. `needed`: required
    paths below `properties`. `values`: fields with a fixed set of values.
    """

    properties: frozenset[str]
    put: Callable[[ArmCall], Response] | None = None
    needed: tuple[str, ...] = ()
    foreign: bool = False
    located: bool = True
    values: tuple[tuple[str, tuple[str, ...]], ...] = ()


def _field_names(text: str) -> frozenset[str]:
    return frozenset(text.split()) | {"provisioningState"}


RULE_FIELDS = _field_names(
    "access description destinationAddressPrefix destinationAddressPrefixes "
    "destinationApplicationSecurityGroups destinationPortRange destinationPortRanges direction "
    "priority protocol sourceAddressPrefix sourceAddressPrefixes sourceApplicationSecurityGroups "
    "sourcePortRange sourcePortRanges"
)
SUBNET_FIELDS = _field_names(
    "addressPrefix addressPrefixes applicationGatewayIPConfigurations defaultOutboundAccess "
    "delegations ipAllocations ipConfigurationProfiles ipConfigurations ipamPoolPrefixAllocations "
    "natGateway networkSecurityGroup privateEndpointNetworkPolicies privateEndpoints "
    "privateLinkServiceNetworkPolicies purpose resourceNavigationLinks routeTable "
    "serviceAssociationLinks serviceEndpointPolicies serviceEndpoints serviceGateway sharingScope"
)
_ENCRYPTION_TYPES = (
    "EncryptionAtRestWithCustomerKey",
    "EncryptionAtRestWithPlatformAndCustomerKeys",
    "ConfidentialVmEncryptedWithCustomerKey",
)
_DISK_FIELDS = (
    "availabilityPolicy burstingEnabled burstingEnabledTime completionPercent creationData "
    "dataAccessAuthMode diskAccessId diskIOPSReadOnly diskIOPSReadWrite diskMBpsReadOnly "
    "diskMBpsReadWrite diskSizeBytes diskSizeGB diskState encryption encryptionSettingsCollection "
    "hyperVGeneration LastOwnershipUpdateTime maxShares networkAccessPolicy "
    "optimizedForFrequentAttach osType propertyUpdatesInProgress publicNetworkAccess purchasePlan "
    "securityProfile shareInfo supportedCapabilities supportsHibernation tier timeCreated uniqueId"
)

# In order of dependency.
SEED_KINDS: dict[str, SeedKind] = {
    kinds.GROUP: SeedKind(_field_names(""), groups.put_group, foreign=True),
    kinds.IDENTITY: SeedKind(
        _field_names("clientId principalId tenantId isolationScope"),
        disks.put_identity,
        foreign=True,
    ),
    kinds.VAULT: SeedKind(
        _field_names(
            "accessPolicies createMode enablePurgeProtection enableRbacAuthorization "
            "enableSoftDelete enabledForDeployment enabledForDiskEncryption "
            "enabledForTemplateDeployment hsmPoolResourceId networkAcls privateEndpointConnections "
            "publicNetworkAccess sku softDeleteRetentionInDays tenantId vaultUri"
        ),
        foreign=True,
    ),
    kinds.DES: SeedKind(
        _field_names(
            "activeKey autoKeyRotationError encryptionType federatedClientId "
            "lastKeyRotationTimestamp previousKeys rotationToLatestKeyVersionEnabled"
        ),
        disks.put_set,
        foreign=True,
        values=(("encryptionType", _ENCRYPTION_TYPES),),
    ),
    kinds.NSG: SeedKind(
        _field_names(
            "defaultSecurityRules flowLogs flushConnection networkInterfaces resourceGuid "
            "securityRules subnets"
        ),
        security_groups.put,
        foreign=True,
    ),
    kinds.SECURITY_RULE: SeedKind(
        RULE_FIELDS, security_groups.put_rule, foreign=True, located=False
    ),
    kinds.PUBLIC_IP: SeedKind(
        _field_names(
            "ddosSettings deleteOption dnsSettings idleTimeoutInMinutes ipAddress ipConfiguration "
            "ipTags linkedPublicIPAddress migrationPhase natGateway publicIPAddressVersion "
            "publicIPAllocationMethod publicIPPrefix resourceGuid servicePublicIPAddress"
        ),
        addresses.put,
    ),
    kinds.VNET: SeedKind(
        _field_names(
            "addressSpace bgpCommunities ddosProtectionPlan defaultPublicNatGateway dhcpOptions "
            "enableDdosProtection enableVmProtection encryption flowLogs flowTimeoutInMinutes "
            "ipAllocations privateEndpointVNetPolicies resourceGuid subnets virtualNetworkPeerings"
        ),
        networks.put,
        ("addressSpace.addressPrefixes",),
        foreign=True,
    ),
    kinds.SUBNET: SeedKind(SUBNET_FIELDS, networks.put_subnet, foreign=True, located=False),
    kinds.DISK: SeedKind(
        _field_names(_DISK_FIELDS),
        disks.put_disk,
        ("creationData.createOption",),
        values=(("diskState", ("Unattached", "ReadyToUpload")),),
    ),
    kinds.GALLERY: SeedKind(
        _field_names("description identifier sharingProfile sharingStatus softDeletePolicy"),
        foreign=True,
    ),
    kinds.GALLERY_IMAGE: SeedKind(
        _field_names(
            "allowUpdateImage architecture description disallowed endOfLifeDate eula features "
            "hyperVGeneration identifier osState osType privacyStatementUri purchasePlan "
            "recommended releaseNoteUri"
        ),
        needed=("osType", "osState", "identifier"),
        foreign=True,
        values=(
            ("osType", ("Linux", "Windows")),
            ("osState", ("Generalized", "Specialized")),
            ("hyperVGeneration", ("V1", "V2")),
        ),
    ),
    kinds.GALLERY_VERSION: SeedKind(
        _field_names(
            "publishingProfile replicationStatus restore safetyProfile securityProfile "
            "storageProfile validationsProfile"
        ),
        foreign=True,
    ),
    kinds.LOCK: SeedKind(
        _field_names("level notes owners"),
        needed=("level",),
        located=False,
        values=(("level", ("CanNotDelete", "ReadOnly")),),
    ),
    kinds.POLICY: SeedKind(
        _field_names(
            "assignmentType definitionVersion description displayName effectiveDefinitionVersion "
            "enforcementMode instanceId latestDefinitionVersion metadata nonComplianceMessages "
            "notScopes overrides parameters policyDefinitionId resourceSelectors scope"
        ),
        needed=("policyDefinitionId",),
        located=False,
    ),
    kinds.ROLE_ASSIGNMENT: SeedKind(
        _field_names(
            "condition conditionVersion createdBy createdOn delegatedManagedIdentityResourceId "
            "description principalId principalType roleDefinitionId scope updatedBy updatedOn"
        ),
        needed=("principalId", "roleDefinitionId"),
        located=False,
    ),
}
CANONICAL_KINDS = {kind.lower(): kind for kind in SEED_KINDS}
# Read-only properties that keep the given value.
KEPT_PROPERTIES = {
    kinds.PUBLIC_IP: ("ipAddress",),
    kinds.IDENTITY: ("tenantId", "principalId", "clientId"),
    kinds.VNET: ("resourceGuid",),
    kinds.DISK: ("diskState",),
}
