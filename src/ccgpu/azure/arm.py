"""A client for Azure Resource Manager. Each call sends one request and never waits for more.

Reads are plain GETs. Writes go through the SDK's typed clients with `polling=False`; the raw
response names the URL to poll. No SDK type leaves this package.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from azure.core.rest import HttpRequest, HttpResponse

from ccgpu.azure.error_details import error_object, error_parts, get_field
from ccgpu.azure.errors import is_absent, refusal_of, translating_errors
from ccgpu.azure.reader import ArmReader
from ccgpu.azure.session import Session
from ccgpu.azure.typed_calls import Calls, TypedClients
from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.resource import (
    Body,
    Resource,
    group_of,
    name_of,
    names_in,
    subscription_of,
)
from ccgpu.errors import AzureRefused, AzureUnavailable, Denied, ForeignAnswer, NotSignedIn
from ccgpu.net.request_log import correlation_id
from ccgpu.net.retry import retry_after

_FAILED_STATES = ("Failed", "Canceled")
_VIEWS = {Kind.GALLERY_VERSION: "ReplicationStatus"}  # azure-mgmt-compute: ReplicationStatusTypes
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


class Arm:
    """Azure Resource Manager in one session; an id is addressed in its own subscription."""

    def __init__(self, session: Session) -> None:
        self.subscription = session.subscription
        self.reader = ArmReader(session)
        self._session = session
        self._clients: dict[str, TypedClients] = {}

    def typed(self, id_: str) -> TypedClients:
        """The typed clients of the id's subscription, created once."""
        subscription = subscription_of(id_)
        return self._clients.setdefault(
            subscription.casefold(), TypedClients(self._session, subscription)
        )

    def _calls(self, kind: Kind, id_: str) -> Calls:
        return self.typed(id_).calls(kind)

    def get(self, kind: Kind, id_: str, *, view: bool = False) -> Body | None:
        """A resource's body, or None if it does not exist.

        `view` adds a VM's instance view, or the state of an image version in each region.
        """
        query = {"$expand": _VIEWS.get(kind, "instanceView")} if view else {}
        with translating_errors(f"reading {id_}"):
            try:
                body = self.reader.get(quote(id_), API_VERSIONS[kind], query)
            except Exception as err:
                if is_absent(err):
                    return None
                raise
        if not isinstance(body, dict) or not isinstance(body.get("id"), str):
            raise AzureUnavailable(f"reading {id_}: the response is not a resource", code="NotArm")
        return body

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
        with translating_errors(f"{action} of {id_}"):
            return _pending(self.typed(id_).vm_action(action)(*_path_names(Kind.VM, id_)))

    def pending_of(self, answer: Any) -> Pending | None:
        """The operation to poll after a raw answer to a write; None if it is done."""
        return _pending(answer)

    def poll(self, doing: str, pending: Pending) -> Pending | None:
        """Poll an operation once. Returns None when it is done, else what to `poll` next.

        Raises:
            AzureUnavailable: The status could not be read (404, 503, not JSON). The operation may
                still succeed: poll again, or read the resource itself.
            Denied: The caller may not read the status. Read the resource itself.
            AzureRefused: The operation has failed or was cancelled.
        """
        if urlsplit(pending.url).hostname != self.reader.host:
            raise ForeignAnswer(f"{doing}: the status URL names another host", code="ForeignHost")
        with translating_errors(doing):
            answer = self.reader.send(HttpRequest("GET", pending.url))
            if answer.status_code not in (200, 201, 202, 204):
                raise status_error(doing, pending, answer)
            if pending.by_location:
                return _status_by_location(pending, answer)
            return _status_by_body(doing, pending, answer)


def status_error(doing: str, pending: Pending, answer: HttpResponse) -> AzureRefused:
    """The error of a poll with an error status: the operation's if it has one, else the poll's.

    A failed operation answers 409 at its `Location`, with the reason (recorded for a group's
    delete); other services answer 400 or 412.
    """
    body = answer.json() if answer.status_code in _RESULT_STATUSES else None
    reason = error_object(body)
    ended = isinstance(body, dict) and get_field(body, "status") in _FAILED_STATES
    if (pending.by_location and error_parts(reason)) or ended:
        error = refusal_of(doing, reason, answer.status_code)
        if not isinstance(error, Denied | NotSignedIn):  # these are about the poll itself
            return _final_error(error)
    return _unreadable_status(doing, answer, reason)


def _unreadable_status(doing: str, answer: HttpResponse, reason: Mapping[str, Any]) -> AzureRefused:
    if answer.status_code == 403 and reason:
        error = refusal_of(f"{doing}: reading the status of the operation", reason, 403)
        if isinstance(error, Denied):
            return error
    return AzureUnavailable(
        f"{doing}: the status of the operation could not be read [{answer.status_code}]",
        code=f"Http{answer.status_code}",
        after=retry_after(answer.headers),
    )


def _status_by_location(pending: Pending, answer: HttpResponse) -> Pending | None:
    if answer.status_code != 202:
        _require_arms(answer)
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


def _require_arms(answer: Any) -> None:
    """Raise `AzureUnavailable` for a success without ARM's id, as of a proxy or a login page.

    Each of ARM's responses has one (Microsoft Learn, "Azure REST API reference").
    """
    if correlation_id(answer.headers) is None:
        raise AzureUnavailable(
            "the answer is not Azure's: it has no x-ms-request-id; a proxy may have sent it",
            code="NotArm",
        )


def _precondition(name: str, value: str | None) -> dict[str, Any]:
    """A typed call's arguments for a precondition, which only the resource provider checks."""
    return {} if value is None else {"headers": {name: value}}


def _final_error(error: AzureRefused) -> AzureRefused:
    """The error of an ended operation: it is not transient, whatever its code."""
    if isinstance(error, AzureUnavailable):
        return AzureRefused(str(error), code=error.code)
    return error


def _path_names(kind: Kind, id_: str) -> tuple[str, ...]:
    return (name_of(id_),) if kind is Kind.GROUP else (group_of(id_), *names_in(id_))


def _pending(answer: Any) -> Pending | None:
    """The operation to poll after a write; None if it is done (RPC v1.0, async operations).

    Raises `AzureUnavailable` if that it is done was not ARM's answer: the write is sent again.
    """
    after = retry_after(answer.headers)
    if url := answer.headers.get("Azure-AsyncOperation"):
        return Pending(url, after)
    if answer.status_code == 202 and (url := answer.headers.get("Location")):
        return Pending(url, after, by_location=True)
    _require_arms(answer)
    return None
