"""What can befall one request: groups T, S, N, A, C, L and R.

A fault is met at one numbered request, once, or from then on at every request alike. It answers in
Azure's stead, lets Azure do the work and loses or bends the answer, or breaks the connection.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import requests

from ccgpu.fakearm import Answer, FakeArm, Request
from support import faults

# Given the request and a way to let Azure answer it: the answer, or an exception raised.
Effect = Callable[[Request, Callable[[], Answer]], Answer]


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that can go wrong, and the requests it can befall."""

    name: str
    effect: Effect
    applies: Callable[[Request], bool]
    # Exit codes that a persistent one may lead to; 7 is always right for what may be left behind.
    codes: frozenset[int] = frozenset({4})
    # Only once: the second time would be another thing, or for ever is as another kind for ever.
    once: bool = False


def _any(_: Request) -> bool:
    return True


def _writes(request: Request) -> bool:
    return request.method != "GET"


def _deletes(request: Request) -> bool:
    return request.method == "DELETE"


def _puts(request: Request) -> bool:
    return request.method == "PUT"


def _vm_puts(request: Request) -> bool:
    return _puts(request) and "/virtualmachines/" in request.path.casefold()


def _network(request: Request) -> bool:
    return _writes(request) and "/microsoft.network/" in request.path.casefold()


def _reads(request: Request) -> bool:
    return request.method == "GET" and not faults.polls(request)


def _resource_reads(request: Request) -> bool:
    return _reads(request) and "/resourcegroups/" in request.path.casefold()


def _lists(request: Request) -> bool:
    """Answers that may come in pages: the groups, the resources, the sizes, the quota."""
    ends = ("/resourcegroups", "/resources", "/skus", "/usages")
    return request.method == "GET" and request.path.casefold().endswith(ends)


def _answered(answer: Answer) -> Effect:
    return lambda _, __: answer


def _raised(error: Exception) -> Effect:
    def effect(_: Request, __: Callable[[], Answer]) -> Answer:
        raise error

    return effect


def _lost(error: Exception) -> Effect:
    """Azure does it, and nobody hears of it."""

    def effect(_: Request, go_on: Callable[[], Answer]) -> Answer:
        go_on()
        raise error

    return effect


def _committed(answer: Answer) -> Effect:
    def effect(_: Request, go_on: Callable[[], Answer]) -> Answer:
        go_on()
        return answer

    return effect


def _bent(change: Callable[[Answer], Answer]) -> Effect:
    return lambda _, go_on: change(go_on())


def _without(*names: str) -> Effect:
    low = {name.casefold() for name in names}

    def change(answer: Answer) -> Answer:
        kept = {k: v for k, v in answer.headers.items() if k.casefold() not in low}
        return Answer(answer.status, answer.body, kept)

    return _bent(change)


def _with(**headers: str) -> Effect:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _bent(lambda answer: Answer(answer.status, answer.body, {**answer.headers, **named}))


def _status(status: object) -> Effect:
    return _answered(Answer(200, {"status": status, "name": "operation"}))


def _throttled(**headers: str) -> Effect:
    return _answered(faults.error(429, "TooManyRequests", **headers))


def _paged(answer: Answer) -> Answer:
    """The next page is at a foreign host."""
    return Answer(answer.status, {**answer.body, "nextLink": _FOREIGN}, answer.headers)


_DATE = "Thu, 01 Jan 2026 00:00:30 GMT"
_NOW = "Thu, 01 Jan 2026 00:00:00 GMT"
_FOREIGN = "https://evil.example/operations/1?s=signature"
_HTML = {"Content-Type": "text/html"}

_THROTTLE = [
    Kind(f"429-{name}", _throttled(**headers), _any, frozenset(codes), once=once)
    for name, headers, codes, once in [
        ("after-1", {"Retry_After": "1"}, {4}, False),
        ("after-30", {"Retry_After": "30"}, {4}, True),
        ("after-3600", {"Retry_After": "3600"}, {4, 11}, False),
        ("plain", {}, {4}, False),
        ("after-date", {"Retry_After": _DATE, "Date": _NOW}, {4}, True),
        ("after-negative", {"Retry_After": "-5"}, {4}, True),
        ("after-garbage", {"Retry_After": "soon"}, {4}, True),
    ]
] + [
    Kind(
        "429-other-operation",
        _answered(faults.error(429, "RetryableErrorDueToAnotherOperation")),
        _network,
    )
]

_SERVER = [
    Kind(f"http-{status}", _answered(faults.error(status, code)), _any, once=status != 503)
    for status, code in [
        (500, "InternalServerError"),
        (503, "ServiceUnavailable"),
        (504, "GatewayTimeout"),
        (408, "RequestTimeout"),
    ]
] + [
    Kind("http-502-empty", _answered(Answer(502)), _any, once=True),
    Kind("504-committed", _committed(faults.error(504, "GatewayTimeout")), _writes),
]

_NETWORK = [
    Kind("dns", _raised(requests.ConnectionError("Name or service not known")), _any),
    Kind("refused", _raised(requests.ConnectionError("Connection refused")), _any, once=True),
    Kind("reset", _raised(faults.RESET), _any),
    Kind("reset-committed", _lost(faults.RESET), _any),
    Kind("timeout", _raised(faults.TIMEOUT), _any, once=True),
    Kind("timeout-committed", _lost(faults.TIMEOUT), _writes, once=True),
    Kind(
        "tls", _raised(requests.exceptions.SSLError("certificate verify failed")), _any, once=True
    ),
    Kind("html", _answered(faults.PAGE), _any),
    Kind("html-503", _answered(Answer(503, "<html>down</html>", _HTML)), _any, once=True),
    Kind("empty-200", _answered(Answer(200)), _any, once=True),
    Kind("json-list", _answered(Answer(200, [1, 2])), _any, once=True),
    Kind(
        "cut-json",
        _answered(Answer(200, '{"id": "/subscr', {"Content-Type": "application/json"})),
        _any,
        once=True,
    ),
    Kind("redirect", _answered(Answer(302, None, {"Location": _FOREIGN})), _any, once=True),
    Kind("huge", _answered(Answer(200, "x" * 1_000_000, _HTML)), _any, once=True),
]

_FOR_EVER = ("ExpiredAuthenticationToken", "AuthorizationFailed")
_AUTH = [
    Kind(name, _answered(faults.error(status, code)), _any, once=code not in _FOR_EVER)
    for name, status, code in [
        ("401-expired", 401, "ExpiredAuthenticationToken"),
        ("403-authorization", 403, "AuthorizationFailed"),
        ("403-linked", 403, "LinkedAuthorizationFailed"),
        ("403-policy", 403, "RequestDisallowedByPolicy"),
        ("409-locked", 409, "ScopeLocked"),
    ]
]

_CONSISTENCY = [
    Kind(
        "get-404",  # a replica that lags behind; one that lags for ever is no Azure
        _answered(faults.error(404, "ResourceNotFound")),
        _resource_reads,
        once=True,
    ),
    Kind("put-412", _answered(faults.error(412, "PreconditionFailed")), _vm_puts, once=True),
    Kind("put-409", _answered(faults.error(409, "Conflict")), _writes),
    Kind("put-404-group", _answered(faults.error(404, "ResourceGroupNotFound")), _puts),
    Kind("being-deleted", _answered(faults.error(409, "ResourceGroupBeingDeleted")), _puts),
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
_OPERATIONS = [
    Kind(f"failed-{code}", _answered(faults.failed(code)), faults.polls, codes)
    for code, codes in _OPERATION_CODES.items()
] + [
    Kind("failed-mute", _status("Failed"), faults.polls),
    Kind("canceled", _status("Canceled"), faults.polls),
    Kind("strange-status", _status("Pondering"), faults.polls, frozenset({4, 11})),
    Kind("no-status", _status(None), faults.polls, frozenset({4, 11})),
    Kind("op-404", _answered(faults.NOT_FOUND), faults.polls),
    Kind("op-401", _answered(faults.error(401, "ExpiredAuthenticationToken")), faults.polls),
    Kind("op-foreign", _with(Azure_AsyncOperation=_FOREIGN, Location=_FOREIGN), _writes, once=True),
    Kind("op-missing", _without("Azure-AsyncOperation", "Location"), _writes, once=True),
    Kind("poll-after-3600", _with(Retry_After="3600"), faults.polls, frozenset({4, 11})),
    Kind("next-foreign", _bent(_paged), _lists, once=True),
]

_REFUSALS = [
    Kind(name, _answered(faults.error(status, name, text)), applies, frozenset({code}))
    for name, status, text, applies, code in [
        ("NicReservedForAnotherVm", 400, "reserved for another VM for 180 seconds", _deletes, 4),
        ("InUseSubnetCannotBeDeleted", 400, "in use", _deletes, 4),
        ("PublicIPAddressCannotBeDeleted", 400, "in use", _deletes, 4),
        ("AnotherOperationInProgress", 409, "wait", _network, 4),
        ("ReferencedResourceNotProvisioned", 400, "Updating", _vm_puts, 4),
        ("PropertyChangeNotAllowed", 409, "zone", _vm_puts, 4),
        ("SkuNotAvailable", 409, "Capacity Restrictions", _vm_puts, 6),
        ("BadRequest", 400, "no", _writes, 4),
    ]
] + [
    Kind(
        "quota",
        _answered(
            faults.error(409, "OperationNotAllowed", "exceeding approved X Family Cores quota")
        ),
        _vm_puts,
        frozenset({5}),
    ),
    Kind(
        "marked-for-deletion",
        _answered(faults.error(409, "OperationNotAllowed", "is marked for deletion.")),
        _deletes,
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
class At:
    """A kind of fault at the request with this number, and, for ever, at all alike after it.

    After another fault that number may be another request's: then at the next one it can befall.
    """

    arm: FakeArm
    number: int
    kind: Kind
    forever: bool
    counted: Callable[[Request], bool] = _any
    seen: int = 0
    fired: int = 0
    _alike: tuple[str, str] | None = None

    def __call__(self, request: Request) -> Answer | None:
        """Answers, raises, or lets it pass."""
        at = self.seen if self.counted(request) else None
        self.seen += at is not None
        if not self.kind.applies(request):
            return None
        if at is not None and at >= self.number and not self.fired:
            self._alike = alike(request)
        elif not (self.forever and self.fired and alike(request) == self._alike):
            return None
        self.fired += 1
        return self.kind.effect(request, partial(self._let_through, request))

    def _let_through(self, request: Request) -> Answer:
        """What Azure answers, with no fault in its way."""
        faults_, self.arm.faults = self.arm.faults, []
        try:
            return self.arm.send(request)
        finally:
            self.arm.faults = faults_


def alike(request: Request) -> tuple[str, str]:
    """What makes requests the same: method and path; questions after any operation are one."""
    if faults.polls(request):
        return request.method, "operation"
    return request.method, request.path.casefold()
