"""The write calls of the SDK's typed clients, by kind of resource.

Each client is imported and made when a write of its kind is sent: that of the network alone takes
longer to load than everything else of a command.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from ccgpu.azure.session import Session
from ccgpu.domain.catalog import Kind

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineResponse
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.network import NetworkManagementClient
    from azure.mgmt.resource.resources import ResourceManagementClient

_OPERATIONS = {
    Kind.NSG: "network_security_groups",
    Kind.VNET: "virtual_networks",
    Kind.PUBLIC_IP: "public_ip_addresses",
    Kind.NAT: "nat_gateways",
    Kind.NIC: "network_interfaces",
    Kind.DISK: "disks",
    Kind.VM: "virtual_machines",
    Kind.GALLERY: "galleries",
    Kind.GALLERY_IMAGE: "gallery_images",
    Kind.GALLERY_VERSION: "gallery_image_versions",
}


class Calls(NamedTuple):
    """The write calls of one kind's typed operation group; they take the names in the id first.

    `patch` accepts any field of a VM or a disk, but only tags of the other kinds.
    """

    put: Callable[..., Any]
    delete: Callable[..., Any]
    patch: Callable[..., Any]


class TypedClients:
    """The typed clients of one subscription."""

    def __init__(self, session: Session, subscription: str) -> None:
        self._session = session
        self._subscription = subscription

    def calls(self, kind: Kind) -> Calls:
        """The write calls of a kind."""
        if kind is Kind.GROUP:
            return _group_calls(self._resources.resource_groups)
        client: Any = self._compute if kind.startswith("Microsoft.Compute/") else self._network
        return _typed_calls(getattr(client, _OPERATIONS[kind]))

    def vm_action(self, action: str) -> Callable[..., Any]:
        """The call of a VM's action: `start`, `deallocate`, `restart` or `reapply`."""
        return _without_poller(getattr(self._compute.virtual_machines, f"begin_{action}"))

    def disk_action(self, action: str) -> Callable[..., Any]:
        """The call of a disk's action: `grant_access` or `revoke_access`."""
        return _without_poller(getattr(self._compute.disks, f"begin_{action}"))

    @cached_property
    def _compute(self) -> "ComputeManagementClient":
        from azure.mgmt.compute import ComputeManagementClient

        return self._session.client(ComputeManagementClient, self._subscription)

    @cached_property
    def _network(self) -> "NetworkManagementClient":
        from azure.mgmt.network import NetworkManagementClient

        return self._session.client(NetworkManagementClient, self._subscription)

    @cached_property
    def _resources(self) -> "ResourceManagementClient":
        from azure.mgmt.resource.resources import ResourceManagementClient

        return self._session.client(ResourceManagementClient, self._subscription)


def _typed_calls(operations: Any) -> Calls:
    """The calls of a typed operation group, without the SDK's poller."""
    update = getattr(operations, "update_tags", None)
    return Calls(
        put=_without_poller(operations.begin_create_or_update),
        delete=_without_poller(operations.begin_delete),
        patch=_call_directly(update) if update else _without_poller(operations.begin_update),
    )


def _group_calls(groups: Any) -> Calls:
    """The calls of resource groups: their id has one name, and their PUT is synchronous."""
    return Calls(
        put=_call_directly(groups.create_or_update),
        delete=_without_poller(groups.begin_delete),
        patch=_call_directly(groups.update),
    )


def _without_poller(begin: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *names, **more: begin(*names, polling=False, cls=_raw_response, **more).result()


def _call_directly(call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *names, **more: call(*names, cls=_raw_response, **more)


def _raw_response(response: "PipelineResponse[Any, Any]", *_: Any) -> Any:
    return response.http_response
