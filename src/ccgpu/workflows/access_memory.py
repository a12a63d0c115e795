"""What the user last said about the way to a VM: read before a command, recorded after it.

A way is recorded once it has led to the VM, so that a mistyped one does not fail the next command.
"""

from ccgpu.azure.context import AzureContext
from ccgpu.domain.access import Access
from ccgpu.store.access import AccessRecords


def remembered_access(
    cloud: AzureContext,
    name: str,
    jump: str | None = None,
    reachable: bool | None = None,
    identity: str | None = None,
) -> Access:
    """How the VM is reached: what is given now, else what was given last.

    An empty `jump` or `identity` stands for none.
    """
    records = AccessRecords(cloud.journals.folder)
    return records.find(cloud.subscription, name).changed(jump, reachable, identity)


def record_access(cloud: AzureContext, name: str, access: Access) -> None:
    """Record how the VM is reached, for later commands."""
    records = AccessRecords(cloud.journals.folder)
    if records.find(cloud.subscription, name) != access:
        records.record(cloud.subscription, name, access)
