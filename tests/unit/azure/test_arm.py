"""The ARM adapter: each call sends one request and reports its response correctly."""

from typing import Any

import pytest
import requests

from ccgpu.azure.arm import Pending
from ccgpu.azure.queries import Queries
from ccgpu.domain.catalog import API_VERSIONS, Kind
from ccgpu.domain.resource import Body, Resource, resource_id
from ccgpu.errors import (
    AlreadyExists,
    AzureRefused,
    AzureUnavailable,
    CapacityUnavailable,
    Denied,
    NotFound,
)
from ccgpu.fakearm import FAKE_SUBSCRIPTION, Response
from support import faults
from support.faults import HTML_PAGE

_PAGE = {"Content-Type": "text/html"}
_URL = "https://management.azure.com/subscriptions/s/operations/1?t=1&s=signature"


def _id(kind: Kind, name: str = "x") -> Any:
    above = [f"above{at}" for at in range(kind.count("/") - 1)]
    return resource_id(FAKE_SUBSCRIPTION, "g", kind, *above, name)


def _resource(kind: Kind, **body: Any) -> Resource:
    return Resource(kind, _id(kind), {"location": "eastus2"} | body)


_NSG = _resource(Kind.NSG, properties={"securityRules": []})


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("call", ["get", "put", "tag", "delete"])
def test_calls_use_the_resource_id_and_the_api_version_of_its_kind(kind, call, wire):
    answer = faults.error(400, "Refused")
    wire.replies.append(answer)
    adapter, one = wire.adapter, _resource(kind)
    calls = {
        "get": lambda: adapter.get(kind, one.id),
        "put": lambda: adapter.put(one),
        "tag": lambda: adapter.tag(kind, one.id, {"a": "b"}),
        "delete": lambda: adapter.delete(kind, one.id),
    }

    with pytest.raises(AzureRefused) as caught:
        calls[call]()

    doing = {"get": "reading", "put": "creating", "tag": "updating", "delete": "deleting"}[call]
    assert str(caught.value) == f"{doing} {one.id}: so it is [Refused]"
    (request,) = wire.seen
    assert request.path.casefold() == one.id.casefold()
    assert request.query["api-version"] == API_VERSIONS[kind]
    assert request.method == {"get": "GET", "put": "PUT", "tag": "PATCH", "delete": "DELETE"}[call]


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("call", ["put", "tag", "delete"])
def test_a_write_sends_one_request(call, kind, wire):
    status = 202 if call == "delete" else 200
    headers = {"Azure-AsyncOperation": _URL, "Retry-After": "3"}
    wire.replies.append(Response(status, {}, headers))
    adapter, one = wire.adapter, _resource(kind)
    calls = {
        "put": lambda: adapter.put(one),
        "tag": lambda: adapter.tag(kind, one.id, {}),
        "delete": lambda: adapter.delete(kind, one.id),
    }
    assert calls[call]() == Pending(_URL, 3.0)
    assert len(wire.seen) == 1


def test_a_body_is_sent_as_it_is(wire):
    wire.replies.append(faults.success(200, {}))
    body: Body = {"location": "eastus2", "properties": {"x": None, "unknown": [1]}}
    wire.adapter.put(Resource(Kind.VNET, _id(Kind.VNET), body))
    assert wire.seen[0].json == body


def test_tag_replaces_only_the_tags(wire):
    wire.replies.append(faults.success(200, {}))
    wire.adapter.tag(Kind.VM, _id(Kind.VM), {"a": "b"})
    assert wire.seen[0].json == {"tags": {"a": "b"}}


@pytest.mark.parametrize(("new", "header"), [(True, "*"), (False, None)])
def test_only_a_new_resource_is_put_with_if_none_match(new, header, wire):
    wire.replies.append(faults.error(412, "PreconditionFailed"))
    with pytest.raises(AlreadyExists):
        wire.adapter.put(_resource(Kind.VM), new=new)
    assert wire.seen[0].headers.get("If-None-Match") == header


@pytest.mark.parametrize(("view", "expand"), [(True, "instanceView"), (False, None)])
def test_the_instance_view_is_read_on_request(view, expand, wire):
    wire.replies.append(Response(200, {"id": "x"}))
    assert wire.adapter.get(Kind.VM, _id(Kind.VM), view=view) == {"id": "x"}
    assert wire.seen[0].query.get("$expand") == expand


@pytest.mark.parametrize("action", ["start", "deallocate", "restart"])
def test_an_action_is_started(action, wire):
    wire.replies.append(Response(202, None, {"Azure-AsyncOperation": _URL}))
    assert wire.adapter.act(_id(Kind.VM), action) == Pending(_URL, None)
    assert (wire.seen[0].method, wire.seen[0].path) == ("POST", f"{_id(Kind.VM)}/{action}")


@pytest.mark.parametrize("code", ["ResourceNotFound", "NotFound", "ResourceGroupNotFound"])
def test_a_404_of_arm_means_absent(code, wire):
    wire.replies += [faults.error(404, code), faults.error(404, code)]
    assert wire.adapter.get(Kind.NSG, _NSG.id) is None
    assert wire.adapter.delete(Kind.NSG, _NSG.id) is None


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        pytest.param(faults.error(404, "SubscriptionNotFound"), NotFound, id="no subscription"),
        pytest.param(Response(404, "<html>", _PAGE), AzureUnavailable, id="a proxy's page"),
        pytest.param(Response(404), AzureUnavailable, id="nothing"),
        pytest.param(Response(404, {}), AzureUnavailable, id="no error"),
    ],
)
@pytest.mark.parametrize("call", ["get", "delete"])
def test_a_404_about_something_else_does_not_mean_absent(call, answer, raised, wire):
    wire.replies.append(answer)
    with pytest.raises(raised) as caught:
        getattr(wire.adapter, call)(Kind.NSG, _NSG.id)
    assert type(caught.value) is raised


@pytest.mark.parametrize("status", [200, 204])
def test_deleting_an_absent_resource_succeeds(status, wire):
    wire.replies.append(faults.success(status))
    assert wire.adapter.delete(Kind.NSG, _NSG.id) is None


@pytest.mark.parametrize(
    ("write", "answer"),
    [
        (lambda arm: arm.put(_NSG), Response(200, {})),
        (lambda arm: arm.tag(Kind.NSG, _NSG.id, {}), Response(200, {})),
        (lambda arm: arm.delete(Kind.NSG, _NSG.id), HTML_PAGE),
        (lambda arm: arm.delete(Kind.NSG, _NSG.id), Response(204)),
        (lambda arm: arm.delete(Kind.GROUP, _id(Kind.GROUP)), Response(202)),
        (lambda arm: arm.act(_id(Kind.VM), "deallocate"), HTML_PAGE),
    ],
)
def test_what_a_proxy_answers_ends_no_write(write, answer, wire):
    wire.replies.append(answer)
    with pytest.raises(AzureUnavailable, match="x-ms-request-id") as caught:
        write(wire.adapter)
    assert (caught.value.code, caught.value.transient) == ("NotArm", True)


@pytest.mark.parametrize("answer", [HTML_PAGE, Response(204)])
def test_what_a_proxy_answers_ends_no_operation(answer, wire):
    with pytest.raises(AzureUnavailable, match="x-ms-request-id"):
        _poll(wire, answer, by_location=True)


_JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(Response(200, "<html>", _PAGE), "NotJson", id="a page"),
        pytest.param(Response(200, "<html>", _JSON), "NotJson", id="a lie"),
        pytest.param(Response(200, "null", _JSON), "NotArm", id="null"),
        pytest.param(Response(200, []), "NotArm", id="a list"),
        pytest.param(Response(200, {"status": "Failed"}), "NotArm", id="an operation"),
    ],
)
def test_a_response_that_is_no_resource_is_transient(answer, code, wire):
    wire.replies.append(answer)
    with pytest.raises(AzureUnavailable, match=r"^reading /\S+: the response is [^:]+$") as caught:
        wire.adapter.get(Kind.VM, _id(Kind.VM))
    assert caught.value.code == code


@pytest.mark.parametrize("answer", [requests.ConnectionError("reset"), requests.ReadTimeout("x")])
def test_a_missing_response_is_not_a_refusal(answer, wire):
    wire.replies.append(answer)
    with pytest.raises(AzureUnavailable):
        wire.adapter.get(Kind.VM, _id(Kind.VM))


_LOCATION = f"{_URL}&location"


@pytest.mark.parametrize(
    ("status", "headers", "pending"),
    [
        pytest.param(200, {}, None, id="done"),
        pytest.param(201, {}, None, id="made"),
        pytest.param(
            201, {"Azure-AsyncOperation": _URL, "Retry-After": "7"}, Pending(_URL, 7.0), id="async"
        ),
        pytest.param(
            201,
            {"Azure-AsyncOperation": _URL, "Location": _LOCATION},
            Pending(_URL, None),
            id="async outranks location",
        ),
        pytest.param(
            202,
            {"Location": _LOCATION, "Retry-After": "3"},
            Pending(_LOCATION, 3.0, by_location=True),
            id="location",
        ),
        pytest.param(201, {"Location": _LOCATION}, None, id="the location of what was made"),
    ],
)
def test_an_accepted_write_returns_its_operation_url(status, headers, pending, wire):
    method = wire.adapter.delete if status == 202 else None
    wire.replies.append(faults.success(status, {}, **headers))
    found = method(Kind.NSG, _NSG.id) if method else wire.adapter.put(_NSG)
    assert found == pending


def test_header_names_are_case_insensitive(wire):
    wire.replies.append(Response(201, {}, {"azure-asyncoperation": _URL, "RETRY-AFTER": "9"}))
    assert wire.adapter.put(_NSG) == Pending(_URL, 9.0)


def _poll(wire: Any, answer: Any, *, by_location: bool = False) -> Pending | None:
    wire.replies.append(answer)
    found: Pending | None = wire.adapter.poll("creating x", Pending(_URL, None, by_location))
    return found


@pytest.mark.parametrize(
    ("answer", "pending"),
    [
        pytest.param(Response(200, {"status": "Succeeded"}), None, id="succeeded"),
        pytest.param(
            Response(200, {"status": "InProgress"}), Pending(_URL, None), id="in progress"
        ),
        pytest.param(Response(202, {"status": "Running"}), Pending(_URL, None), id="another word"),
        pytest.param(
            Response(200, {"status": "Deleting"}, {"Retry-After": "12"}),
            Pending(_URL, 12.0),
            id="a wish",
        ),
    ],
)
def test_a_poll_requests_the_operation_url_once(answer, pending, wire):
    assert _poll(wire, answer) == pending
    assert [(request.method, request.url) for request in wire.seen] == [("GET", _URL)]


@pytest.mark.parametrize(("status", "done"), [(202, False), (200, True), (201, True), (204, True)])
def test_a_poll_by_location_uses_the_http_status(status, done, wire):
    answer = faults.success(status, Retry_After="4")
    found = _poll(wire, answer, by_location=True)
    assert found == (None if done else Pending(_URL, 4.0, by_location=True))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(faults.NOT_FOUND, "Http404", id="404"),
        pytest.param(faults.error(401, "ExpiredAuthenticationToken"), "Http401", id="401"),
        pytest.param(faults.UNAVAILABLE, "Http503", id="503"),
        pytest.param(faults.THROTTLED, "Http429", id="429"),
        pytest.param(faults.error(403, "RequestDisallowedByPolicy"), "Http403", id="403"),
        pytest.param(Response(403, "<html>no</html>", _PAGE), "NotJson", id="a proxy's 403"),
        pytest.param(faults.HTML_PAGE, "NotJson", id="a page"),
        pytest.param(Response(204), "NotJson", id="nothing"),
        pytest.param(Response(200, {}), "NoStatus", id="no status"),
        pytest.param(Response(200, []), "NoStatus", id="a list"),
        pytest.param(Response(200, {"status": 7}), "NoStatus", id="a number"),
        pytest.param(faults.RESET, "ServiceRequestError", id="reset"),
        pytest.param(faults.TIMEOUT, "ServiceResponseTimeoutError", id="timeout"),
        pytest.param(
            Response(307, None, {"Location": "https://evil.example"}), "Http307", id="307"
        ),
    ],
)
def test_a_failed_poll_does_not_decide_the_write(answer, code, wire):
    with pytest.raises(AzureUnavailable, match=r"^creating x: \S.+") as caught:
        _poll(wire, answer)
    assert caught.value.code == code
    assert len(wire.seen) == 1


_BLOCKED = {
    "Error": {
        "Code": "ResourceGroupDeletionBlocked",
        "Message": "Deletion failed.",
        "Details": [{"Target": "/a/nic", "Message": "it is reserved"}],
    }
}


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        pytest.param(
            Response(409, _BLOCKED), AzureRefused, "ResourceGroupDeletionBlocked", id="409"
        ),
        pytest.param(faults.error(400, "InUse"), AzureRefused, "InUse", id="400"),
        pytest.param(faults.error(412, "Changed"), AlreadyExists, "Changed", id="412"),
        pytest.param(
            faults.error(409, "AllocationFailed"),
            CapacityUnavailable,
            "AllocationFailed",
            id="full",
        ),
        pytest.param(
            faults.error(403, "RequestDisallowedByPolicy"),
            AzureRefused,
            "RequestDisallowedByPolicy",
            id="policy",
        ),
        pytest.param(
            faults.error(409, "AnotherOperationInProgress"),
            AzureRefused,
            "AnotherOperationInProgress",
            id="what would pass is its end",
        ),
    ],
)
def test_a_poll_by_location_returns_the_error_of_the_write(answer, kind, code, wire):
    with pytest.raises(AzureRefused) as caught:
        _poll(wire, answer, by_location=True)
    assert (type(caught.value), caught.value.code) == (kind, code)


def test_a_failed_group_delete_names_the_blocking_resource(wire):
    with pytest.raises(AzureRefused, match=r"Deletion failed\.; /a/nic: it is reserved \["):
        _poll(wire, Response(409, _BLOCKED), by_location=True)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(faults.error(403, "AuthorizationFailed", "no"), Denied, id="no right to ask"),
        pytest.param(faults.error(403, "ExpiredAuthenticationToken"), AzureUnavailable, id="token"),
        pytest.param(faults.NOT_FOUND, AzureUnavailable, id="404"),
        pytest.param(Response(409, {}), AzureUnavailable, id="no error in it"),
        pytest.param(Response(409, "<html>", _PAGE), AzureUnavailable, id="a page"),
        pytest.param(faults.THROTTLED, AzureUnavailable, id="throttled"),
    ],
)
def test_a_failed_poll_by_location_does_not_decide_the_write(answer, kind, wire):
    with pytest.raises(kind):
        _poll(wire, answer, by_location=True)


def test_a_failed_status_in_an_error_response_fails_the_write(wire):
    ended = {"status": "Failed", "error": {"code": "AllocationFailed", "message": "none left"}}
    with pytest.raises(CapacityUnavailable, match="none left"):
        _poll(wire, Response(409, ended))


def test_ids_of_other_subscriptions_are_read_and_written_there(wire):
    other = "00000000-0000-4000-8000-0000000000bb"
    one = _resource(Kind.NIC)
    theirs = one.id.replace(FAKE_SUBSCRIPTION, other)
    wire.replies += [Response(200, {"id": theirs}), faults.error(400, "Refused")]
    adapter = wire.adapter
    assert adapter.get(Kind.NIC, theirs) == {"id": theirs}
    with pytest.raises(AzureRefused):
        adapter.delete(Kind.NIC, theirs)
    assert [request.path for request in wire.seen] == [theirs, theirs]


def test_a_denied_poll_is_a_missing_right(wire):
    with pytest.raises(
        Denied, match="reading the status of the operation: does not have authorization"
    ):
        _poll(wire, faults.FORBIDDEN)


def test_a_throttled_poll_has_a_retry_delay(wire):
    with pytest.raises(AzureUnavailable) as caught:
        _poll(wire, faults.THROTTLED)
    assert caught.value.after == 7.0


@pytest.mark.parametrize(
    ("body", "raised", "message"),
    [
        pytest.param(
            {"status": "Failed", "error": {"code": "AllocationFailed", "message": "none left"}},
            CapacityUnavailable,
            "creating x: none left [AllocationFailed]",
            id="failed",
        ),
        pytest.param(
            {"status": "Failed"},
            AzureRefused,
            "creating x: no reason was given [Failed]",
            id="bare",
        ),
        pytest.param(
            {"status": "Failed", "error": "text"},
            AzureRefused,
            "creating x: no reason was given [Failed]",
            id="an error that is no object",
        ),
        pytest.param(
            {"status": "Canceled", "error": None},
            AzureRefused,
            "creating x: no reason was given [Canceled]",
            id="canceled",
        ),
    ],
)
def test_only_failed_and_canceled_are_failures(body, raised, message, wire):
    with pytest.raises(raised) as caught:
        _poll(wire, Response(200, body))
    assert type(caught.value) is raised
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/operations/1?s=signature",
        "https://management.azure.com.evil.example/x",
        "http://management.azure.com/operations/1",
        "nonsense",
    ],
)
def test_an_operation_url_of_another_host_gets_no_request_and_no_token(url, wire):
    with pytest.raises(AzureUnavailable) as caught:
        wire.adapter.poll("creating x", Pending(url, None))
    assert caught.value.code == "ForeignHost"
    assert "signature" not in str(caught.value)
    assert (wire.seen, wire.tokens.asked) == ([], [])


def test_no_repr_contains_the_operation_url():
    assert repr(Pending(_URL, 5.0)) == "Pending(after=5.0)"


def test_a_bug_raised_through_the_sdk_stays_a_bug(wire):
    """Only after a response can a parsing error be Azure's; only after a token, the sign-in's."""
    adapter = wire.adapter
    odd = Response(200, {"value": [{"name": None}]})
    wire.replies += [Response(200, {"id": _NSG.id}), odd, odd, TypeError("ours")]
    adapter.get(Kind.NSG, _NSG.id)
    for _ in range(2):  # for the second one there is a token already
        with pytest.raises(AzureUnavailable, match="not from Azure"):
            Queries(adapter).usages("eastus2")
    with pytest.raises(TypeError, match="ours"):
        adapter.get(Kind.NSG, _NSG.id)
    wire.tokens.refusal = KeyError("access_token")
    with pytest.raises(AzureUnavailable, match="not from Azure"):
        wire.adapter.get(Kind.NSG, _NSG.id)
    with pytest.raises(AzureUnavailable, match="not from Azure"):
        wire.session().caller_address()
