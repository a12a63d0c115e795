"""A client for Azure Resource Manager. Each call sends one request and never waits for more.

Reads are plain GETs. Writes go through the SDK's typed clients with `polling=False`; the raw
response names the URL to poll. No SDK type leaves this package.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from azure.core import exceptions as sdk
from azure.core.pipeline import PipelineResponse
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient

from ccgpu.azure.error_details import error_object, error_parts, get_field
from ccgpu.azure.errors import is_absent, refusal_of, translating_errors
from ccgpu.azure.session import Session
from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.resource import Body, Resource, group_of, name_of, subscription_of
from ccgpu.errors import AzureRefused, AzureUnavailable, Denied, ForeignAnswer, NotSignedIn
from ccgpu.net.retry import retry_after

_FAILED_STATES = ("Failed", "Canceled")
# Status codes of a poll that may be the operation's; 404, 408, 429 and 5xx are the poll's own.
_RESULT_STATUSES = (400, 403, 409, 412)


@dataclass(frozen=True, slots=True)
class Pending:
    """An operation that Azure has accepted: the URL to poll, and the delay that Azure asks for.

    `url` contains a signature: it is polled unmodified, and never logged or shown. `by_location`:
    the URL is from the `Location` header, and the status code of a poll is the operation's status.
    """

    url: str
    after: float | None
    by_location: bool = False

    def __repr__(self) -> str:
        return f"Pending(after={self.after})"


class Calls(NamedTuple):
    """The write calls of one kind's typed operation group; they take the names in the id first.

    `patch` accepts any field of a VM or a disk, but only tags of the other kinds.
    """

    put: Callable[..., Any]
    delete: Callable[..., Any]
    patch: Callable[..., Any]


class Clients(NamedTuple):
    """The typed clients of one subscription, and the write calls of each kind."""

    compute: ComputeManagementClient
    resources: ResourceManagementClient
    calls: Mapping[Kind, Calls]


class Arm:
    """Azure Resource Manager in one session; an id is addressed in its own subscription."""

    def __init__(self, session: Session) -> None:
        self.subscription = session.subscription
        self._session = session
        self._host = session.environment.host
        self._clients: dict[str, Clients] = {}
        own = self.clients(session.subscription)
        self.compute, self.resources = own.compute, own.resources
        self._send: Callable[[HttpRequest], HttpResponse] = own.compute.send_request

    def clients(self, subscription: str) -> Clients:
        """The clients of a subscription, created once."""
        clients = self._clients.get(subscription.casefold())
        if clients is None:
            clients = _make_clients(self._session, subscription)
            self._clients[subscription.casefold()] = clients
        return clients

    def _calls(self, kind: Kind, id_: str) -> Calls:
        return self.clients(subscription_of(id_)).calls[kind]

    def get(self, kind: Kind, id_: str, *, view: bool = False) -> Body | None:
        """A resource's body, or None if it does not exist. `view` adds a VM's instance view."""
        query = {"$expand": "instanceView"} if view else {}
        with translating_errors(f"reading {id_}"):
            try:
                body = self._get_json(kind, id_, query)
            except Exception as err:
                if is_absent(err):
                    return None
                raise
        if not isinstance(body, dict) or not isinstance(body.get("id"), str):
            raise AzureUnavailable(f"reading {id_}: the response is not a resource", code="NotArm")
        return body

    def _get_json(self, kind: Kind, id_: str, query: Mapping[str, str]) -> Any:
        """The JSON of a GET; raises the SDK's errors for any other status than 200.

        The typed calls would build models from it, which takes a fifth of a command's time.
        """
        url = f"https://{self._host}{quote(id_)}"
        request = HttpRequest("GET", url, params={"api-version": API_VERSIONS[kind], **query})
        answer = self.clients(subscription_of(id_)).compute.send_request(request)
        if answer.status_code == 401:
            raise sdk.ClientAuthenticationError(response=answer)
        if answer.status_code != 200:
            raise sdk.HttpResponseError(response=answer)
        return answer.json()

    def put(
        self, wanted: Resource, *, new: bool = False, etag: str | None = None
    ) -> Pending | None:
        """Start to create or update a resource. Returns None if it is done, else what to `poll`.

        Raises:
            AlreadyExists: With `new`, the resource exists (`If-None-Match: *`); with `etag`, it has
                another etag now (`If-Match`).
        """
        absent = _precondition("If-None-Match", "*" if new else None)
        more = absent | _precondition("If-Match", etag)
        names = _path_names(wanted.kind, wanted.id)
        with translating_errors(f"creating {wanted.id}"):
            return _pending(self._calls(wanted.kind, wanted.id).put(*names, wanted.body, **more))

    def tag(
        self, kind: Kind, id_: str, tags: Mapping[str, str], *, etag: str | None = None
    ) -> Pending | None:
        """Start to replace a resource's tag map; `etag` as in `patch`."""
        return self.patch(kind, id_, {"tags": dict(tags)}, etag=etag)

    def patch(
        self, kind: Kind, id_: str, change: Body, *, etag: str | None = None
    ) -> Pending | None:
        """Start to change some fields of a resource; a list or a tag map is replaced as a whole.

        Raises `AlreadyExists` if its etag is not `etag` any more; only some providers check it.
        """
        more = _precondition("If-Match", etag)
        with translating_errors(f"updating {id_}"):
            return _pending(self._calls(kind, id_).patch(*_path_names(kind, id_), change, **more))

    def delete(self, kind: Kind, id_: str, *, etag: str | None = None) -> Pending | None:
        """Start to delete a resource. Returns None if it is gone. `etag` as in `patch`."""
        more = _precondition("If-Match", etag)
        with translating_errors(f"deleting {id_}"):
            try:
                return _pending(self._calls(kind, id_).delete(*_path_names(kind, id_), **more))
            except Exception as err:
                if is_absent(err):  # ARM answers 404 for a group that does not exist
                    return None
                raise

    def act(self, id_: str, action: str) -> Pending | None:
        """Start a VM action: `start`, `deallocate`, `restart` or `reapply`."""
        compute = self.clients(subscription_of(id_)).compute
        begin = getattr(compute.virtual_machines, f"begin_{action}")
        with translating_errors(f"{action} of {id_}"):
            return _pending(
                begin(*_path_names(Kind.VM, id_), polling=False, cls=_raw_response).result()
            )

    def poll(self, doing: str, pending: Pending) -> Pending | None:
        """Poll an operation once. Returns None when it is done, else what to `poll` next.

        Raises:
            AzureUnavailable: The status could not be read (404, 503, not JSON). The operation may
                still succeed: poll again, or read the resource itself.
            Denied: The caller may not read the status. Read the resource itself.
            AzureRefused: The operation has failed or was cancelled.
        """
        if urlsplit(pending.url).hostname != self._host:
            raise ForeignAnswer(f"{doing}: the status URL names another host", code="ForeignHost")
        with translating_errors(doing):
            answer = self._send(HttpRequest("GET", pending.url))
            if answer.status_code not in (200, 201, 202, 204):
                raise _status_error(doing, pending, answer)
            if pending.by_location:
                return _status_by_location(pending, answer)
            return _status_by_body(doing, pending, answer)


def _status_error(doing: str, pending: Pending, answer: HttpResponse) -> AzureRefused:
    """The error of a poll with an error status: the operation's if it has one, else the poll's.

    A failed operation answers 409 at its `Location`, with the reason (recorded for a group's
    delete); other services answer 400 or 412.
    """
    body = answer.json() if answer.status_code in _RESULT_STATUSES else None
    ended = isinstance(body, dict) and get_field(body, "status") in _FAILED_STATES
    if (pending.by_location and error_parts(error_object(body))) or ended:
        error = refusal_of(doing, error_object(body), answer.status_code)
        if not isinstance(error, Denied | NotSignedIn):  # these are about the poll itself
            return _final_error(error)
    return _unreadable_status(doing, answer)


def _unreadable_status(doing: str, answer: HttpResponse) -> AzureRefused:
    if answer.status_code == 403 and error_object(answer.json()):
        error = refusal_of(
            f"{doing}: reading the status of the operation", error_object(answer.json()), 403
        )
        if isinstance(error, Denied):
            return error
    return AzureUnavailable(
        f"{doing}: the status of the operation could not be read [{answer.status_code}]",
        code=f"Http{answer.status_code}",
        after=retry_after(answer.headers),
    )


def _status_by_location(pending: Pending, answer: HttpResponse) -> Pending | None:
    if answer.status_code != 202:
        return None
    return Pending(pending.url, retry_after(answer.headers), by_location=True)


def _status_by_body(doing: str, pending: Pending, answer: HttpResponse) -> Pending | None:
    operation = answer.json()
    status = get_field(operation, "status") if isinstance(operation, dict) else None
    if status == "Succeeded":
        return None
    if status in _FAILED_STATES:
        reason = error_object({"error": get_field(operation, "error")}) or {"code": status}
        raise _final_error(refusal_of(doing, reason))
    if not isinstance(status, str):
        raise AzureUnavailable(
            f"{doing}: the status of the operation has no `status` field", code="NoStatus"
        )
    return Pending(pending.url, retry_after(answer.headers))


def _precondition(name: str, value: str | None) -> dict[str, Any]:
    """A typed call's arguments for a precondition, which only the resource provider checks."""
    return {} if value is None else {"headers": {name: value}}


def _final_error(error: AzureRefused) -> AzureRefused:
    """The error of an ended operation: it is not transient, whatever its code."""
    if isinstance(error, AzureUnavailable):
        return AzureRefused(str(error), code=error.code)
    return error


def _path_names(kind: Kind, id_: str) -> tuple[str, ...]:
    return (name_of(id_),) if kind is Kind.GROUP else (group_of(id_), name_of(id_))


def _make_clients(session: Session, subscription: str) -> Clients:
    compute = session.client(ComputeManagementClient, subscription)
    network = session.client(NetworkManagementClient, subscription)
    resources = session.client(ResourceManagementClient, subscription)
    calls = {
        Kind.GROUP: _group_calls(resources.resource_groups),
        Kind.NSG: _typed_calls(network.network_security_groups),
        Kind.VNET: _typed_calls(network.virtual_networks),
        Kind.PUBLIC_IP: _typed_calls(network.public_ip_addresses),
        Kind.NAT: _typed_calls(network.nat_gateways),
        Kind.NIC: _typed_calls(network.network_interfaces),
        Kind.DISK: _typed_calls(compute.disks),
        Kind.VM: _typed_calls(compute.virtual_machines),
    }
    return Clients(compute, resources, calls)


def _typed_calls(operations: Any) -> Calls:
    """The calls of a typed operation group, without the SDK's poller (`polling=False`)."""

    def without_poller(begin: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *names, **more: begin(
            *names, polling=False, cls=_raw_response, **more
        ).result()

    update = getattr(operations, "update_tags", None)
    return Calls(
        put=without_poller(operations.begin_create_or_update),
        delete=without_poller(operations.begin_delete),
        patch=_call_directly(update) if update else without_poller(operations.begin_update),
    )


def _group_calls(groups: Any) -> Calls:
    """The calls of resource groups: their id has one name, and their PUT is synchronous."""
    return Calls(
        put=_call_directly(groups.create_or_update),
        delete=lambda *names, **more: groups.begin_delete(
            *names, polling=False, cls=_raw_response, **more
        ).result(),
        patch=_call_directly(groups.update),
    )


def _call_directly(call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *names, **more: call(*names, cls=_raw_response, **more)


def _raw_response(response: PipelineResponse[Any, Any], *_: Any) -> Any:
    return response.http_response


def raw_body(response: PipelineResponse[Any, Any], *_: Any) -> Any:
    """The JSON of a response: a value for the argument `cls` of a typed call."""
    return response.http_response.json()


def _pending(answer: Any) -> Pending | None:
    """The operation to poll after a write; None if it is done (RPC v1.0, async operations)."""
    after = retry_after(answer.headers)
    if url := answer.headers.get("Azure-AsyncOperation"):
        return Pending(url, after)
    if answer.status_code == 202 and (url := answer.headers.get("Location")):
        return Pending(url, after, by_location=True)
    return None
