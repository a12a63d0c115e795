"""The errors of the compute provider.

Their texts are quoted from issue threads; docs/fake-azure.md names the threads.
"""

from ccgpu.fakearm import errors
from ccgpu.fakearm.errors import GATEWAY, Refused
from ccgpu.fakearm.wire import Body


def property_change(name: str) -> Refused:
    return Refused(
        409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", target=name
    )


def operation_not_allowed(message: str) -> Refused:
    return Refused(409, "OperationNotAllowed", message)


def marked_for_deletion(vm: str) -> Refused:
    return operation_not_allowed(
        f"Operation is not allowed on VM '{vm}' since the VM is marked for deletion. You can only "
        "retry the Delete operation (or wait for an ongoing one to complete)."
    )


def concurrent_request() -> Refused:
    return Refused(
        409,
        "Conflict",
        "The request failed due to conflict with a concurrent request. To resolve it, please "
        "refer to https://aka.ms/activitylog to get more details on the conflicting requests.",
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
        headers=GATEWAY,
    )


def reference_not_found(missing: str) -> Refused:
    """A VM references a NIC that does not exist: its PUT is answered 404."""
    return errors.not_found(f"Resource {missing} not found.", details=[])


def vm_not_running() -> Refused:
    return operation_not_allowed("The operation requires the VM to be running (or set to run).")


def extensions_disallowed() -> Refused:
    return operation_not_allowed(
        "This operation cannot be performed when extension operations are disallowed. To allow, "
        "please ensure VM Agent is installed on the VM and the osProfile.allowExtensionOperations "
        "property is true."
    )


def run_command_busy() -> Refused:
    return Refused(
        409,
        "Conflict",
        "Run command extension execution is in progress. Please wait for completion before "
        "invoking a run command.",
    )


def agent_silent(vm: str) -> Body:
    """How an operation ends that needs the VM agent, if that has not reported."""
    return errors.error(
        "VMAgentStatusCommunicationError",
        f"VM '{vm}' has not reported status for VM agent or extensions. Verify that the OS is up "
        "and healthy, the VM has a running VM agent, and that it can establish outbound "
        "connections to Azure storage. Please refer to "
        "https://aka.ms/vmextensionlinuxtroubleshoot for additional VM agent troubleshooting "
        "information.",
    )
