"""Azure Resource Manager, as far as `ccgpu` needs it: small calls that ask or start, never wait.

Writes go through typed clients, picked from one table by kind, with `polling=False`: the
raw answer says where to ask on. Nothing above this package sees an SDK type.
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

_BAD_ENDS = ("Failed", "Canceled")
_ENDED = (400, 403, 409, 412)  # 404, 408, 429 and 5xx are of the asking, not of the write


@dataclass(frozen=True, slots=True)
class Pending:
    """A write that Azure accepted: where to ask about it, and how soon it wants to be asked.

    `url` carries a signature: it is polled unmodified, and stands in no message and no log.
    `by_location` is the older model, whose status code is the status.
    """

    url: str
    after: float | None
    by_location: bool = False

    def __repr__(self) -> str:
        return f"Pending(after={self.after})"


class Calls(NamedTuple):
    """What one kind's typed operation group is asked to do; the first two arguments are names.

    `patch` takes a whole VM's or disk's fields, and of the other kinds the tags alone.
    """

    put: Callable[..., Any]
    delete: Callable[..., Any]
    patch: Callable[..., Any]


class Clients(NamedTuple):
    """The typed clients of one subscription, and the calls of each kind."""

    compute: ComputeManagementClient
    resources: ResourceManagementClient
    calls: Mapping[Kind, Calls]


class Arm:
    """Resource Manager, through one session; an id is looked for in its own subscription."""

    def __init__(self, session: Session) -> None:
        self.subscription = session.subscription
        self._session = session
        self._host = session.environment.host
        self._clients: dict[str, Clients] = {}
        own = self.clients(session.subscription)
        self.compute, self.resources = own.compute, own.resources
        self._send: Callable[[HttpRequest], HttpResponse] = own.compute.send_request

    def clients(self, subscription: str) -> Clients:
        """The clients of a subscription, made once."""
        found = self._clients.get(subscription.casefold())
        if found is None:
            found = _make_clients(self._session, subscription)
            self._clients[subscription.casefold()] = found
        return found

    def _calls(self, kind: Kind, id_: str) -> Calls:
        return self.clients(subscription_of(id_)).calls[kind]

    def get(self, kind: Kind, id_: str, *, view: bool = False) -> Body | None:
        """The resource as Azure has it, or None. `view` adds a VM's instance view."""
        more = {"$expand": "instanceView"} if view else {}
        with translating_errors(f"reading {id_}"):
            try:
                body = self._read(kind, id_, more)
            except Exception as err:
                if is_absent(err):
                    return None
                raise
        if not isinstance(body, dict) or not isinstance(body.get("id"), str):
            raise AzureUnavailable(f"reading {id_}: the response is not a resource", code="NotArm")
        return body

    def _read(self, kind: Kind, id_: str, more: Mapping[str, str]) -> Any:
        """The body of a GET. The typed calls would make models of it, a fifth of a command's time.

        They raise the same errors for an answer that is none.
        """
        url = f"https://{self._host}{quote(id_)}"
        request = HttpRequest("GET", url, params={"api-version": API_VERSIONS[kind], **more})
        answer = self.clients(subscription_of(id_)).compute.send_request(request)
        if answer.status_code == 401:
            raise sdk.ClientAuthenticationError(response=answer)
        if answer.status_code != 200:
            raise sdk.HttpResponseError(response=answer)
        return answer.json()

    def put(
        self, wanted: Resource, *, new: bool = False, etag: str | None = None
    ) -> Pending | None:
        """Start to create or update. None if that was all, else what to `poll`.

        `new` refuses to touch what is there (`If-None-Match: *`), `etag` what is no longer as it
        was: `AlreadyExists`.
        """
        absent = _precondition("If-None-Match", "*" if new else None)
        more = absent | _precondition("If-Match", etag)
        names = _path_names(wanted.kind, wanted.id)
        with translating_errors(f"creating {wanted.id}"):
            return _pending(self._calls(wanted.kind, wanted.id).put(*names, wanted.body, **more))

    def tag(
        self, kind: Kind, id_: str, tags: Mapping[str, str], *, etag: str | None = None
    ) -> Pending | None:
        """Start to replace a resource's whole tag map and nothing else; `etag` as in `patch`."""
        return self.patch(kind, id_, {"tags": dict(tags)}, etag=etag)

    def patch(
        self, kind: Kind, id_: str, change: Body, *, etag: str | None = None
    ) -> Pending | None:
        """Start to change some fields of a resource; a list or a tag map is replaced as a whole.

        With `etag` only if it is still that: else `AlreadyExists`, where the kind's provider looks.
        """
        more = _precondition("If-Match", etag)
        with translating_errors(f"updating {id_}"):
            return _pending(self._calls(kind, id_).patch(*_path_names(kind, id_), change, **more))

    def delete(self, kind: Kind, id_: str, *, etag: str | None = None) -> Pending | None:
        """Start to delete. None if it is gone already, or if that was all. `etag` as in `patch`."""
        more = _precondition("If-Match", etag)
        with translating_errors(f"deleting {id_}"):
            try:
                return _pending(self._calls(kind, id_).delete(*_path_names(kind, id_), **more))
            except Exception as err:
                if is_absent(err):  # a group that is not there
                    return None
                raise

    def act(self, id_: str, action: str) -> Pending | None:
        """Start `start`, `deallocate`, `restart` or `reapply` of a VM."""
        compute = self.clients(subscription_of(id_)).compute
        begin = getattr(compute.virtual_machines, f"begin_{action}")
        with translating_errors(f"{action} of {id_}"):
            return _pending(
                begin(*_path_names(Kind.VM, id_), polling=False, cls=_raw_response).result()
            )

    def poll(self, doing: str, pending: Pending) -> Pending | None:
        """Ask once. None when the write is done, else what to `poll` next.

        Only `Failed` and `Canceled` are Azure's no. An answer that cannot be read (404, 503,
        not JSON) says nothing about the write: `AzureUnavailable`, and the caller asks on, here
        or at the resource itself; nor does `Denied`, but asking here again is in vain.
        """
        if urlsplit(pending.url).hostname != self._host:
            raise ForeignAnswer(f"{doing}: the status URL names another host", code="ForeignHost")
        with translating_errors(doing):
            answer = self._send(HttpRequest("GET", pending.url))
            if answer.status_code not in (200, 201, 202, 204):
                raise _no_status(doing, pending, answer)
            if pending.by_location:
                return _status_by_location(pending, answer)
            return _status_by_body(doing, pending, answer)


def _no_status(doing: str, pending: Pending, answer: HttpResponse) -> AzureRefused:
    """What an answer that is no good one says: of the write where it may, else of the asking.

    A write that failed answers 409 at its `Location`, with the reason (recorded for a group's
    delete); other services 400 or 412.
    """
    body = answer.json() if answer.status_code in _ENDED else None
    ended = isinstance(body, dict) and get_field(body, "status") in _BAD_ENDS
    if (pending.by_location and error_parts(error_object(body))) or ended:
        found = refusal_of(doing, error_object(body), answer.status_code)
        if not isinstance(found, Denied | NotSignedIn):  # those speak of the asking
            return _final_error(found)
    return _unreadable_status(doing, answer)


def _unreadable_status(doing: str, answer: HttpResponse) -> AzureRefused:
    if answer.status_code == 403 and error_object(answer.json()):
        found = refusal_of(
            f"{doing}: reading the status of the operation", error_object(answer.json()), 403
        )
        if isinstance(found, Denied):
            return found
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
    account = answer.json()
    status = get_field(account, "status") if isinstance(account, dict) else None
    if status == "Succeeded":
        return None
    if status in _BAD_ENDS:
        reason = error_object({"error": get_field(account, "error")}) or {"code": status}
        raise _final_error(refusal_of(doing, reason))
    if not isinstance(status, str):
        raise AzureUnavailable(
            f"{doing}: the status of the operation has no `status` field", code="NoStatus"
        )
    return Pending(pending.url, retry_after(answer.headers))


def _precondition(name: str, value: str | None) -> dict[str, Any]:
    """What a typed call takes to send a precondition; the front door never looks at it (RPC)."""
    return {} if value is None else {"headers": {name: value}}


def _final_error(error: AzureRefused) -> AzureRefused:
    """The operation is over: what would have passed while it ran is its end now."""
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
    """The calls of a typed operation group. Never the SDK's own poller: `polling=False`."""

    def begun(begin: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *names, **more: begin(
            *names, polling=False, cls=_raw_response, **more
        ).result()

    update = getattr(operations, "update_tags", None)
    return Calls(
        put=begun(operations.begin_create_or_update),
        delete=begun(operations.begin_delete),
        patch=_call_directly(update) if update else begun(operations.begin_update),
    )


def _group_calls(groups: Any) -> Calls:
    """A group is in no group, and its PUT is done once it is answered."""
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
    """The JSON of an answer, for `cls` of a typed call."""
    return response.http_response.json()


def _pending(answer: Any) -> Pending | None:
    """What an answer to a write says: done, or where to ask on (RPC v1.0, async operations)."""
    wish = retry_after(answer.headers)
    if url := answer.headers.get("Azure-AsyncOperation"):
        return Pending(url, wish)
    if answer.status_code == 202 and (url := answer.headers.get("Location")):
        return Pending(url, wish, by_location=True)
    return None
