"""How a user logs in to a VM, as fields of a JSON document."""

from typing import TYPE_CHECKING, Any

from ccgpu.cli.runtime import Runtime

if TYPE_CHECKING:
    from ccgpu.azure.context import AzureContext
    from ccgpu.domain.deployment import Deployment


def login_fields(runtime: Runtime, cloud: "AzureContext", made: "Deployment") -> dict[str, Any]:
    """The user, the private key on this machine, and the commands to log in, as they can be run.

    Each is null if it is not known; the commands, too, if this machine knows no way to the VM.
    """
    from ccgpu.store.keys import Keys
    from ccgpu.workflows.access_memory import remembered_access
    from ccgpu.workflows.login_identity import login_key, openssh_words

    access = remembered_access(cloud, made.name, group=made.resource_group)
    key = login_key(made, access, Keys(runtime.state, made.name, runtime.home))
    has_way = made.public_ip or access.jump or access.reachable
    command = ssh_command(runtime, made.name) if has_way and made.admin_user else None
    identity = None if key is None else str(key)
    return {
        "admin_user": made.admin_user,
        "identity_file": identity,
        "ssh": command,
        "openssh": openssh_words(cloud, made, access, key),
    }


def ssh_command(runtime: Runtime, name: str) -> str:
    """The command that logs in, with the options that reach the subscription."""
    return runtime.complete(f"`ccgpu ssh {name}`").strip("`")
