"""Under which name this machine keeps what it knows of a deployment: verdict, host key, way, image.

A name may be in use in two resource groups. The records of the deployment that the journal names
have its name, those of the other one have a name of their own: what a command does to the one must
never change what is known of the other.
"""

from hashlib import sha256

from ccgpu.azure.context import AzureContext
from ccgpu.domain.desired import Names
from ccgpu.domain.resource import key
from ccgpu.errors import StateUnusable

_DIGITS = 16  # of the hash of a group's name, which may hold what a file name may not


def record_name(cloud: AzureContext, name: str, group: str | None) -> str:
    """The name of the records of the deployment `name` in `group`; None: that of the journal."""
    if group is None:
        return name
    try:
        journal = cloud.journals.peek(cloud.subscription, name)
    except StateUnusable:
        return name  # the command itself says so, if it needs the journal
    if journal is None or not journal.records or key(journal.group) in ("", key(group)):
        return name
    return name_beside(name, group)


def name_beside(name: str, group: str) -> str:
    """The name of the records of `name` in `group` while a journal names another group.

    When the deployment is gone, records of this name are, too: they are of no other one.
    """
    return f"{name}@{sha256(key(group).encode()).hexdigest()[:_DIGITS]}"


def record_name_of(cloud: AzureContext, names: Names) -> str:
    """The name of the records of a deployment whose group is known."""
    return record_name(cloud, names.deployment, names.group)
