"""ARM's refusals, in ARM's words: one function for each, and the exception that carries them.

A handler raises before it has written anything. Codes and texts follow recorded traffic where
there is some; docs/fake-azure.md says which are only inferred.
"""

from collections.abc import Sequence

from ccgpu.fakearm.wire import Answer, Body

_GATEWAY = {"x-ms-failure-cause": "gateway"}
_SERVICE = {"x-ms-failure-cause": "service"}


def error(code: str, message: str, **more: object) -> Body:
    return {"code": code, "message": message, **more}


class Refused(Exception):
    """ARM's no: the answer to the request."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: dict[str, str] | None = None,
        **more: object,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.error = error(code, message, **more)
        self.answer = Answer(status, {"error": self.error}, headers or {})


def unauthenticated() -> Refused:
    challenge = (
        'Bearer authorization_uri="https://login.microsoftonline.com/common", '
        'error="invalid_token", '
        "error_description=\"The authentication failed because of missing 'Authorization' header.\""
    )
    return Refused(
        401,
        "AuthenticationFailed",
        "Authentication failed. The 'Authorization' header is missing.",
        headers={"WWW-Authenticate": challenge, **_GATEWAY},
    )


def subscription_not_found(subscription: str) -> Refused:
    return Refused(
        404,
        "SubscriptionNotFound",
        f"The subscription '{subscription}' could not be found.",
        headers=_GATEWAY,
    )


def group_not_found(group: str) -> Refused:
    return Refused(
        404,
        "ResourceGroupNotFound",
        f"Resource group '{group}' could not be found.",
        headers=_GATEWAY,
    )


def group_being_deleted(group: str) -> Refused:
    return Refused(
        409,
        "ResourceGroupBeingDeleted",
        f"The resource group '{group}' is in deprovisioning state and cannot perform this "
        "operation.",
        headers=_GATEWAY,
    )


def resource_not_found(kind: str, name: str, group: str) -> Refused:
    return Refused(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' under resource group '{group}' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix",
        headers=_GATEWAY,
    )


def parent_not_found(name: str) -> Refused:
    return Refused(
        404,
        "ParentResourceNotFound",
        "Can not perform requested operation on nested resource. Parent resource "
        f"'{name}' not found.",
        headers=_GATEWAY,
    )


def not_found(message: str, *, details: Sequence[Body] | None = None) -> Refused:
    more = {} if details is None else {"details": details}
    return Refused(404, "NotFound", message, headers=None, **more)


def bad_json(message: str) -> Refused:
    return Refused(
        400,
        "InvalidRequestContent",
        f"The request content was invalid and could not be deserialized: '{message}'.",
        headers=_GATEWAY,
    )


def location_required() -> Refused:
    return Refused(
        400,
        "LocationRequired",
        "The location property is required for this definition.",
        headers=_GATEWAY,
    )


def location_unavailable(kind: str, location: str, regions: Sequence[str]) -> Refused:
    listed = ",".join(regions)
    if kind == "Microsoft.Resources/resourceGroups":
        code, what = "LocationNotAvailableForResourceGroup", "resource group"
        text = f"List of available regions is '{listed}'."
    else:
        code, what = "LocationNotAvailableForResourceType", f"resource type '{kind}'"
        text = f"List of available regions for the resource type is '{listed}'."
    return Refused(
        400,
        code,
        f"The provided location '{location}' is not available for {what}. {text}",
        headers=_GATEWAY,
    )


def location_changed(name: str, group: str, there: str, wanted: str) -> Refused:
    return Refused(
        409,
        "InvalidResourceLocation",
        f"The resource '{name}' already exists in location '{there}' in resource group '{group}'. "
        f"A resource with the same name cannot be created in location '{wanted}'. Please select "
        "a new resource name.",
        headers=_GATEWAY,
    )


def precondition_failed(id_: str) -> Refused:
    return Refused(
        412,
        "PreconditionFailed",
        f"The precondition given in the request headers is not met by resource {id_}.",
    )


def invalid_parameter(target: str, message: str) -> Refused:
    return Refused(400, "InvalidParameter", message, target=target)


def bad_request(message: str) -> Refused:
    return Refused(400, "BadRequest", message)


def property_change(name: str) -> Refused:
    return Refused(
        409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", target=name
    )


def operation_not_allowed(message: str) -> Refused:
    return Refused(409, "OperationNotAllowed", message)


def concurrent_request() -> Refused:
    return Refused(
        409,
        "Conflict",
        "The request failed due to conflict with a concurrent request. To resolve it, please "
        "refer to https://aka.ms/activitylog to get more details on the conflicting requests.",
    )


def another_operation(uri: str) -> Refused:
    return Refused(
        409,
        "AnotherOperationInProgress",
        "Another operation on this or dependent resource is in progress. To retrieve status of "
        f"the operation use uri: {uri}.",
        details=[],
    )


def invalid_reference(missing: str, source: str) -> Refused:
    """A network resource names a subnet, group or gateway that is not there."""
    return Refused(
        400,
        "InvalidResourceReference",
        f"Resource {missing} referenced by resource {source} was not found. Please make sure that "
        "the referenced resource exists, and that both resources are in the same region.",
        details=[],
    )


def reference_not_found(missing: str) -> Refused:
    """A VM names a NIC that is not there: a PUT that is answered 404."""
    return not_found(f"Resource {missing} not found.", details=[])


def reference_not_ready(used: str, source: str, state: str, operation: str) -> Refused:
    """What is referenced is still being written; the caller may try again."""
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
        headers=_SERVICE,
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


def nic_reserved(nic: str, vm: str) -> Refused:
    return Refused(
        400,
        "NicReservedForAnotherVm",
        f"Nic(s) in request is reserved for another Virtual Machine for 180 seconds. Please "
        f"provide another nic(s) or retry after 180 seconds. Reserved VM: {vm} Nic: {nic}",
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


def quota_exceeded(what: str, region: str, limit: int, used: int, more: int) -> Refused:
    return operation_not_allowed(
        f"Operation could not be completed as it results in exceeding approved {what} quota. "
        f"Additional details - Deployment Model: Resource Manager, Location: {region}, Current "
        f"Limit: {limit}, Current Usage: {used}, Additional Required: {more}, (Minimum) New Limit "
        f"Required: {used + more}. Submit a request for Quota increase at "
        "https://aka.ms/ProdportalCRP/#blade/Microsoft_Azure_Capacity/UsageAndQuota.ReactView by "
        "specifying parameters listed in the 'Details' section for deployment to succeed. Please "
        "read more about quota limits at "
        "https://docs.microsoft.com/en-us/azure/azure-supportability/per-vm-quota-requests"
    )


def sku_not_available(size: str, region: str) -> Refused:
    return Refused(
        409,
        "SkuNotAvailable",
        "The requested VM size for resource 'Following SKUs have failed for Capacity "
        f"Restrictions: {size}' is currently not available in location '{region}'. Please try "
        "another size or deploy to a different location or different zone. See "
        "https://aka.ms/azureskunotavailable for details.",
    )


def resource_busy(used: str, operation: str, guid: str, seconds: int) -> Refused:
    """The network provider is writing this resource already; it says when to come back."""
    text = (
        f"Operation {operation} ({guid}) is updating resource {used}. The call can be retried in "
        f"{seconds} seconds."
    )
    return Refused(
        429,
        "RetryableError",
        "A retryable error occurred.",
        details=[error("RetryableErrorDueToAnotherOperation", text)],
        headers={"Retry-After": str(seconds), **_SERVICE},
    )


def invalid_name(name: str, rule: str) -> Refused:
    return Refused(400, "InvalidResourceName", f"Resource name {name} is invalid. {rule}")


def invalid_group_name(name: str) -> Refused:
    return Refused(
        400,
        "InvalidResourceGroup",
        f"The provided resource group name '{name}' is not valid. The name can only be a letter, "
        "digit, '-', '.', '(', ')' or '_', of at most 90 characters, and cannot end with '.'.",
        headers=_GATEWAY,
    )


def invalid_tags(code: str, message: str) -> Refused:
    return Refused(400, code, message, headers=_GATEWAY)


def size_not_in_zone(vm: str, region: str, zone: str, subscription: str) -> Refused:
    return Refused(
        409,
        "SkuNotAvailable",
        f"The requested size for resource '{vm}' is currently not available in location "
        f"'{region}' zones '{zone}' for subscription '{subscription}'. Please try another size or "
        "deploy to a different location or zones. See https://aka.ms/azureskunotavailable for "
        "details.",
    )


def disk_exists(disk: str) -> Refused:
    group, name = disk.split("/")[4], disk.rsplit("/", 1)[1]
    return Refused(
        409,
        "ConflictingUserInput",
        f"Disk {name} already exists in resource group {group.upper()}. Only CreateOption.Attach "
        "is supported.",
        target=disk,
    )


def identity_missing(vm: str, identity: str) -> Refused:
    return Refused(
        400,
        "FailedIdentityOperation",
        f"Identity operation for resource '{vm}' failed with error 'Failed to perform resource "
        "identity operation. Status: 'BadRequest'. Response: "
        f'\'{{"error":{{"code":"BadRequest","message":"Resource \'{identity}\' was not '
        "found.\"}}'.'.",
        headers=_GATEWAY,
    )


def accelerated_networking(size: str, nic: str) -> Refused:
    return Refused(
        400,
        "VMSizeIsNotPermittedToEnableAcceleratedNetworking",
        f"The virtual machine size {size} is not permitted to enable accelerated networking on "
        f"network interface(s) {nic}.",
        details=[],
    )
