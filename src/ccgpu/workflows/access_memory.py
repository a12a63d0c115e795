"""What the user last said about the way to a VM: read before a command, recorded after it.

A way is recorded once it has led to the VM, so that a mistyped one does not fail the next command.
"""

from ccgpu.azure.context import AzureContext
from ccgpu.domain.access import Access
from ccgpu.store.access import AccessRecords
from ccgpu.workflows.record_names import record_name


def remembered_access(
    cloud: AzureContext,
    name: str,
    jump: str | None = None,
    reachable: bool | None = None,
    identity: str | None = None,
    group: str | None = None,
) -> Access:
    """How the VM is reached: what is given now, else what was given last.

    An empty `jump` or `identity` stands for none. group: The deployment's; None: as the journal's.
    """
    records = AccessRecords(cloud.journals.folder)
    recorded = record_name(cloud, name, group)
    return records.find(cloud.subscription, recorded).changed(jump, reachable, identity)


def record_access(cloud: AzureContext, name: str, access: Access, group: str | None = None) -> None:
    """Record how the VM is reached, for later commands."""
    records = AccessRecords(cloud.journals.folder)
    recorded = record_name(cloud, name, group)
    if records.find(cloud.subscription, recorded) != access:
        records.record(cloud.subscription, recorded, access)
