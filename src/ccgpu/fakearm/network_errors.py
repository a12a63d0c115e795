"""The errors of the network provider.

Texts are recorded (azure-service-operator) where docs/fake-azure.md says so.
"""

from collections.abc import Sequence

from ccgpu.fakearm.errors import SERVICE, Refused, error


def another_operation(uri: str) -> Refused:
    return Refused(
        409,
        "AnotherOperationInProgress",
        "Another operation on this or dependent resource is in progress. To retrieve status of "
        f"the operation use uri: {uri}.",
        details=[],
    )


def invalid_reference(missing: str, source: str) -> Refused:
    """A network resource references a subnet, group or gateway that does not exist."""
    return Refused(
        400,
        "InvalidResourceReference",
        f"Resource {missing} referenced by resource {source} was not found. Please make sure that "
        "the referenced resource exists, and that both resources are in the same region.",
        details=[],
    )


def reference_not_ready(used: str, source: str, state: str, operation: str) -> Refused:
    """The referenced resource is being written; the caller may retry."""
    text = (
        f"Cannot proceed with operation because resource {used} used by resource {source} is not "
        f"in Succeeded state. Resource is in {state} state and the last operation that "
        f"updated/is updating the resource is {operation}."
    )
    return Refused(
        429,
        "RetryableError",
        "A retryable error occurred.",
        details=[error("ReferencedResourceNotProvisioned", text)],
        headers=SERVICE,
    )


def resource_busy(used: str, operation: str, guid: str, seconds: int) -> Refused:
    """The resource is being written; the error says when to retry."""
    text = (
        f"Operation {operation} ({guid}) is updating resource {used}. The call can be retried in "
        f"{seconds} seconds."
    )
    return Refused(
        429,
        "RetryableError",
        "A retryable error occurred.",
        details=[error("RetryableErrorDueToAnotherOperation", text)],
        headers={"Retry-After": str(seconds), **SERVICE},
    )


def nic_in_use(nic: str, vm: str) -> Refused:
    return Refused(
        400,
        "NicInUse",
        f"Network Interface {nic} is used by existing resource {vm}. In order to delete the "
        "network interface, it must be dissociated from the resource. To learn more, see "
        "aka.ms/deletenic.",
        details=[],
    )


def nic_reserved(vm: str) -> Refused:
    return Refused(
        400,
        "NicReservedForAnotherVm",
        f"Nic(s) in request is reserved for another Virtual Machine for 180 seconds. Please "
        f"provide another nic(s) or retry after 180 seconds. Reserved VM: {vm}",
        details=[],
    )


def address_in_use(address: str, holder: str) -> Refused:
    return Refused(
        400,
        "PublicIPAddressCannotBeDeleted",
        f"Public IP address {address} can not be deleted since it is still allocated to resource "
        f"{holder}. In order to delete the public IP, disassociate/detach the Public IP address "
        "from the resource.  To learn how to do this, see aka.ms/deletepublicip.",
        details=[],
    )


def address_taken(address: str, holder: str, wanted_by: str) -> Refused:
    return Refused(
        400,
        "PublicIPAddressInUse",
        f"Resource {wanted_by} is referencing public IP address {address} that is already "
        f"allocated to resource {holder}.",
        details=[],
    )


def subnet_in_use(name: str, holder: str) -> Refused:
    return Refused(
        400,
        "InUseSubnetCannotBeDeleted",
        f"Subnet {name} is in use by {holder} and cannot be deleted. In order to delete the "
        "subnet, delete all the resources within the subnet. See aka.ms/deletesubnet.",
        details=[],
    )


def security_group_in_use(group: str, holders: Sequence[str]) -> Refused:
    return Refused(
        400,
        "InUseNetworkSecurityGroupCannotBeDeleted",
        f"Network security group {group} cannot be deleted because it is in use by the following "
        f"resources: {', '.join(holders)}. In order to delete the Network security group, remove "
        "the association with the resource(s). To learn how to do this, see aka.ms/deletensg.",
        details=[],
    )


def gateway_in_use(gateway: str, holders: Sequence[str]) -> Refused:
    return Refused(
        400,
        "InUseNatGatewayCannotBeDeleted",
        f"NAT gateway {gateway} cannot be deleted because it is in use by the following "
        f"resources: {', '.join(holders)}. In order to delete the NAT gateway, remove the "
        "association with the resource(s).",
        details=[],
    )


def accelerated_networking(size: str, nic: str) -> Refused:
    return Refused(
        400,
        "VMSizeIsNotPermittedToEnableAcceleratedNetworking",
        f"The virtual machine size {size} is not permitted to enable accelerated networking on "
        f"network interface(s) {nic}.",
        details=[],
    )
