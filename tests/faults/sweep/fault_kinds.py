"""The faults of one request: groups T, S, N, A, C, L and R.

A fault happens at one numbered request, or permanently at every equal request from then on.
`effects` defines what it does. Faults of this machine are in `local_faults`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import requests

from ccgpu.fakearm import FakeArm, Request, Response
from faults.sweep.effects import (
    DATE_IN_30_S,
    DATE_NOW,
    EXPIRED,
    FOREIGN,
    FOREIGN_HEADERS,
    HTML,
    JSON,
    Effect,
    add_foreign_page,
    add_headers,
    challenge_response,
    change_response,
    commit_and_fail,
    commit_and_respond,
    empty_list,
    fail,
    is_any,
    is_delete,
    is_list,
    is_network_write,
    is_put,
    is_read,
    is_resource_read,
    is_search,
    is_single_read,
    is_vm_put,
    is_write,
    operation_status,
    remove_headers,
    remove_tags,
    require_claims,
    respond,
    set_creating,
    throttle,
    upper_case_ids,
)
from support import faults


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault, and the requests to which it applies."""

    name: str
    effect: Effect
    applies: Callable[[Request], bool]
    # The exit codes it may cause; also 7, where resources may be left.
    exit_codes: frozenset[int] = frozenset({4})
    # If it happens once, the command continues and succeeds.
    transient: bool = False
    # Never permanent: a repetition is unrealistic, or equals another kind.
    once_only: bool = False
    # Always permanent: a property of Azure rather than a passing fault.
    forever_only: bool = False
    # The kind that our code treats alike; it represents this one outside `create`.
    same_as: str = ""


_TRANSIENT = partial(FaultKind, transient=True)
_THROTTLE = [
    _TRANSIENT("429-after-30", throttle(Retry_After="30"), is_any, once_only=True),
    # Longer than most commands may take: they fail at once.
    FaultKind("429-after-3600", throttle(Retry_After="3600"), is_any, frozenset({4, 11})),
    _TRANSIENT("429-plain", throttle(), is_any, once_only=True),
    _TRANSIENT("429-after-1", throttle(Retry_After="1"), is_any, same_as="429-after-30"),
    *(
        _TRANSIENT(f"429-after-{name}", throttle(**headers), is_any, once_only=True, same_as=like)
        for name, headers, like in [
            ("date", {"Retry_After": DATE_IN_30_S, "Date": DATE_NOW}, "429-after-30"),
            ("negative", {"Retry_After": "-5"}, "429-plain"),
            ("garbage", {"Retry_After": "soon"}, "429-plain"),
        ]
    ),
    _TRANSIENT(
        "429-other-operation",
        respond(faults.error(429, "RetryableErrorDueToAnotherOperation")),
        is_network_write,
    ),
]

_SERVER = [
    _TRANSIENT("http-503", respond(faults.error(503, "ServiceUnavailable")), is_any),
    *(
        _TRANSIENT(name, respond(answer), is_any, once_only=True, same_as="http-503")
        for name, answer in [
            ("http-500", faults.error(500, "InternalServerError")),
            ("http-504", faults.error(504, "GatewayTimeout")),
            ("http-408", faults.error(408, "RequestTimeout")),
            ("http-502-empty", Response(502)),
            ("html-503", Response(503, "<html>down</html>", HTML)),
        ]
    ),
    _TRANSIENT("504-committed", commit_and_respond(faults.error(504, "GatewayTimeout")), is_write),
]

_NETWORK = [
    _TRANSIENT("reset", fail(faults.RESET), is_any, once_only=True),
    _TRANSIENT("reset-committed", commit_and_fail(faults.RESET), is_any),
    _TRANSIENT("timeout-committed", commit_and_fail(faults.TIMEOUT), is_write, once_only=True),
    *(
        _TRANSIENT(name, fail(error), is_any, once_only=name != "dns", same_as="reset")
        for name, error in [
            ("dns", requests.ConnectionError("Name or service not known")),
            ("refused", requests.ConnectionError("Connection refused")),
            ("timeout", faults.TIMEOUT),
            ("tls", requests.exceptions.SSLError("certificate verify failed")),
        ]
    ),
    # A command that takes the page for an accepted start waits in vain: exit code 10.
    FaultKind("html", respond(faults.HTML_PAGE), is_any, frozenset({4, 10})),
    *(
        FaultKind(name, respond(answer), is_any, frozenset({4, 10}), once_only=True, same_as=like)
        for name, answer, like in [
            ("empty-200", Response(200), "html"),
            ("cut-json", Response(200, '{"id": "/subscr', JSON), "html"),
            ("huge", Response(200, "x" * 1_000_000, HTML), "html"),
            ("json-list", Response(200, [1, 2]), "html"),
        ]
    ),
    FaultKind(
        "redirect", respond(Response(302, None, {"Location": FOREIGN})), is_any, once_only=True
    ),
]

_NEW_CHALLENGE = respond(challenge_response("invalid_token"))
DENIED = "403-authorization"
_AUTH = [
    FaultKind("401-expired", respond(EXPIRED), is_any),
    FaultKind(DENIED, respond(faults.error(403, "AuthorizationFailed")), is_any),
    *(
        FaultKind(name, respond(faults.error(status, code)), is_any, once_only=True, same_as=like)
        for name, status, code, like in [
            ("403-linked", 403, "LinkedAuthorizationFailed", DENIED),
            ("409-locked", 409, "ScopeLocked", ""),
            ("403-policy", 403, "RequestDisallowedByPolicy", "409-locked"),
        ]
    ),
    # An expired token, and a token that lacks the requested claims.
    FaultKind("401-claims", require_claims, is_any, frozenset(), transient=True),
    _TRANSIENT("401-challenge", _NEW_CHALLENGE, is_any, once_only=True, same_as="401-claims"),
]

_CONSISTENCY = [
    FaultKind(
        "get-404",  # a stale replica; permanent staleness is unrealistic
        respond(faults.error(404, "ResourceNotFound")),
        is_resource_read,
        once_only=True,
    ),
    # Once: a stale response. Permanent: a resource that never settles.
    FaultKind(
        "stale-creating",
        change_response(set_creating),
        is_single_read,
        frozenset({11}),
        transient=True,
    ),
    FaultKind(
        "ids-in-capitals",
        change_response(upper_case_ids),
        is_read,
        frozenset(),
        transient=True,
        forever_only=True,
    ),
    FaultKind(
        "list-misses",
        change_response(empty_list),
        is_search,
        frozenset(),
        transient=True,
        once_only=True,
    ),
    # Documented for lists filtered by tag; some recordings have the tags.
    FaultKind(
        "list-tagless",
        change_response(remove_tags),
        is_search,
        frozenset(),
        transient=True,
        forever_only=True,
    ),
    _TRANSIENT(
        "put-412", respond(faults.error(412, "PreconditionFailed")), is_vm_put, once_only=True
    ),
    _TRANSIENT("put-409", respond(faults.error(409, "Conflict")), is_write),
    _TRANSIENT("put-404-group", respond(faults.error(404, "ResourceGroupNotFound")), is_put),
    _TRANSIENT("being-deleted", respond(faults.error(409, "ResourceGroupBeingDeleted")), is_put),
]

_OPERATION_CODES: Mapping[str, frozenset[int]] = {
    "AllocationFailed": frozenset({6}),
    "ZonalAllocationFailed": frozenset({6}),
    "OverconstrainedZonalAllocationRequest": frozenset({6}),
    "SkuNotAvailable": frozenset({6}),
    "OSProvisioningTimedOut": frozenset({4}),
    "InternalExecutionError": frozenset({4}),
    "InternalServerError": frozenset({4}),
}
# Our code treats operation errors of one exit code alike.
_REPRESENTATIVES = {frozenset({6}): "failed-AllocationFailed", frozenset({4}): "failed-mute"}
_OPERATIONS = [
    FaultKind(
        f"failed-{code}",
        *(respond(faults.failed_operation(code)), faults.is_poll, codes),
        same_as=_REPRESENTATIVES[codes].replace(f"failed-{code}", ""),
    )
    for code, codes in _OPERATION_CODES.items()
] + [
    FaultKind("failed-mute", operation_status("Failed"), faults.is_poll),
    FaultKind("canceled", operation_status("Canceled"), faults.is_poll),
    FaultKind(
        "strange-status",
        operation_status("Pondering"),
        faults.is_poll,
        frozenset({11}),
        transient=True,
    ),
    # If the status cannot be read, the command reads the resource, even permanently.
    FaultKind("no-status", operation_status(None), faults.is_poll, frozenset(), transient=True),
    FaultKind("op-404", respond(faults.NOT_FOUND), faults.is_poll, frozenset(), transient=True),
    FaultKind("op-401", respond(EXPIRED), faults.is_poll, frozenset(), transient=True),
    _TRANSIENT("op-foreign", add_headers(**FOREIGN_HEADERS), is_write, once_only=True),
    _TRANSIENT(
        "op-missing", remove_headers("Azure-AsyncOperation", "Location"), is_write, once_only=True
    ),
    FaultKind("poll-after-3600", add_headers(Retry_After="3600"), faults.is_poll, frozenset({11})),
    FaultKind("next-foreign", change_response(add_foreign_page), is_list, once_only=True),
]

_NOT_ALLOWED = "OperationNotAllowed"
_QUOTA_TEXT = "exceeding approved X Family Cores quota"
_REFUSALS = [
    FaultKind(
        name,
        *(respond(faults.error(status, name, text)), applies, frozenset({code}), passes),
        same_as="BadRequest" if name == "MissingSubscriptionRegistration" else "",
    )
    for name, status, text, applies, code, passes in [
        (
            "NicReservedForAnotherVm",
            400,
            "reserved for another VM, 180 seconds",
            is_delete,
            4,
            True,
        ),
        ("InUseSubnetCannotBeDeleted", 400, "in use", is_delete, 4, True),
        ("PublicIPAddressCannotBeDeleted", 400, "in use", is_delete, 4, True),
        ("AnotherOperationInProgress", 409, "wait", is_network_write, 4, True),
        ("ReferencedResourceNotProvisioned", 400, "Updating", is_vm_put, 4, True),
        ("PropertyChangeNotAllowed", 409, "zone", is_vm_put, 4, False),
        (
            "SkuNotAvailable",
            409,
            "Capacity Restrictions",
            is_vm_put,
            6,
            True,
        ),  # elsewhere
        ("MissingSubscriptionRegistration", 409, "not registered to use", is_put, 4, False),
        ("BadRequest", 400, "no", is_write, 4, False),
    ]
] + [
    FaultKind(
        "quota", respond(faults.error(409, _NOT_ALLOWED, _QUOTA_TEXT)), is_vm_put, frozenset({5})
    ),
    _TRANSIENT(
        "marked-for-deletion",
        respond(faults.error(409, _NOT_ALLOWED, "is marked for deletion.")),
        is_delete,
    ),
]

KINDS = {
    kind.name: kind
    for kind in (
        *_THROTTLE,
        *_SERVER,
        *_NETWORK,
        *_AUTH,
        *_CONSISTENCY,
        *_OPERATIONS,
        *_REFUSALS,
    )
}


@dataclass
class NumberedFault:
    """A kind of fault at the request of this number and, if permanent, at all equal ones after it.

    After another fault, that number may be another request; then the next one that applies is used.
    """

    arm: FakeArm
    number: int
    kind: FaultKind
    forever: bool
    counted: Callable[[Request], bool] = is_any
    seen: int = 0
    fired: int = 0
    _alike: tuple[str, str] | None = None

    def __call__(self, request: Request) -> Response | None:
        """Respond, raise, or let the request pass."""
        counts = self.counted(request)
        due = counts and self.seen >= self.number and not self.fired
        self.seen += counts
        again = self.forever and self.fired and request_key(request) == self._alike
        if not (due or again) or not self.kind.applies(request):
            return None
        self._alike = request_key(request)
        self.fired += 1
        return self.kind.effect(request, partial(self._let_through, request))

    def _let_through(self, request: Request) -> Response:
        """Azure's response without any fault."""
        faults_, self.arm.faults = self.arm.faults, []
        try:
            return self.arm.send(request)
        finally:
            self.arm.faults = faults_


def request_key(request: Request) -> tuple[str, str]:
    """What makes requests equal: method and path. Polls of any operation are equal."""
    if faults.is_poll(request):
        return request.method, "operation"
    return request.method, request.path.casefold()
