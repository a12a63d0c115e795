"""What can befall one request: groups T, S, N, A, C, L and R.

A fault is met at one numbered request, once, or from then on at every request alike; `effects`
says what it does to it. What happens on this machine instead is in `local`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import requests

from ccgpu.fakearm import Answer, FakeArm, Request
from faults.sweep.effects import (
    DATE,
    ELSEWHERE,
    EXPIRED,
    FOREIGN,
    HTML,
    JSON,
    NOW,
    Effect,
    answered,
    anything,
    bent,
    broken,
    capitals,
    challenge,
    committed,
    creating,
    deletes,
    lists,
    lost,
    network,
    one_resource,
    paged,
    puts,
    reads,
    resource_reads,
    said,
    searches,
    throttled,
    unlisted,
    untagged,
    vm_puts,
    wanting_claims,
    with_headers,
    without,
    writes,
)
from support import faults


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that can go wrong, and the requests it can befall."""

    name: str
    effect: Effect
    applies: Callable[[Request], bool]
    # The exit codes of what it causes; 7 besides, where something may be left behind.
    codes: frozenset[int] = frozenset({4})
    # Once is got over: the command goes on, and ends well.
    passes: bool = False
    # Only once: the second time would be another thing, or for ever is as another kind for ever.
    once: bool = False
    # Only for ever: it is how Azure may be, and not a fault that passes.
    always: bool = False
    # What it is the same as to our code: in the other scenarios than create that stands for it.
    like: str = ""


_GOT_OVER = partial(Kind, passes=True)
_THROTTLE = [
    _GOT_OVER("429-after-30", throttled(Retry_After="30"), anything, once=True),
    # Longer than most commands may take: they stop at once, and say so.
    Kind("429-after-3600", throttled(Retry_After="3600"), anything, frozenset({4, 11})),
    _GOT_OVER("429-plain", throttled(), anything, once=True),
    _GOT_OVER("429-after-1", throttled(Retry_After="1"), anything, like="429-after-30"),
    *(
        _GOT_OVER(f"429-after-{name}", throttled(**headers), anything, once=True, like=like)
        for name, headers, like in [
            ("date", {"Retry_After": DATE, "Date": NOW}, "429-after-30"),
            ("negative", {"Retry_After": "-5"}, "429-plain"),
            ("garbage", {"Retry_After": "soon"}, "429-plain"),
        ]
    ),
    _GOT_OVER(
        "429-other-operation",
        answered(faults.error(429, "RetryableErrorDueToAnotherOperation")),
        network,
    ),
]

_SERVER = [
    _GOT_OVER("http-503", answered(faults.error(503, "ServiceUnavailable")), anything),
    *(
        _GOT_OVER(name, answered(answer), anything, once=True, like="http-503")
        for name, answer in [
            ("http-500", faults.error(500, "InternalServerError")),
            ("http-504", faults.error(504, "GatewayTimeout")),
            ("http-408", faults.error(408, "RequestTimeout")),
            ("http-502-empty", Answer(502)),
            ("html-503", Answer(503, "<html>down</html>", HTML)),
        ]
    ),
    _GOT_OVER("504-committed", committed(faults.error(504, "GatewayTimeout")), writes),
]

_NETWORK = [
    _GOT_OVER("reset", broken(faults.RESET), anything, once=True),
    _GOT_OVER("reset-committed", lost(faults.RESET), anything),
    _GOT_OVER("timeout-committed", lost(faults.TIMEOUT), writes, once=True),
    *(
        _GOT_OVER(name, broken(error), anything, once=name != "dns", like="reset")
        for name, error in [
            ("dns", requests.ConnectionError("Name or service not known")),
            ("refused", requests.ConnectionError("Connection refused")),
            ("timeout", faults.TIMEOUT),
            ("tls", requests.exceptions.SSLError("certificate verify failed")),
        ]
    ),
    # What takes a page for Azure's word that a machine starts waits for it in vain: 10.
    Kind("html", answered(faults.PAGE), anything, frozenset({4, 10})),
    *(
        Kind(name, answered(answer), anything, frozenset({4, 10}), once=True, like=like)
        for name, answer, like in [
            ("empty-200", Answer(200), "html"),
            ("cut-json", Answer(200, '{"id": "/subscr', JSON), "html"),
            ("huge", Answer(200, "x" * 1_000_000, HTML), "html"),
            ("json-list", Answer(200, [1, 2]), "html"),
        ]
    ),
    Kind("redirect", answered(Answer(302, None, {"Location": FOREIGN})), anything, once=True),
]

_ANOTHER = answered(challenge("invalid_token"))
DENIED = "403-authorization"
_AUTH = [
    Kind("401-expired", answered(EXPIRED), anything),
    Kind(DENIED, answered(faults.error(403, "AuthorizationFailed")), anything),
    *(
        Kind(name, answered(faults.error(status, code)), anything, once=True, like=like)
        for name, status, code, like in [
            ("403-linked", 403, "LinkedAuthorizationFailed", DENIED),
            ("409-locked", 409, "ScopeLocked", ""),
            ("403-policy", 403, "RequestDisallowedByPolicy", "409-locked"),
        ]
    ),
    # One token is over; and one is not enough, until there are the claims that are asked for.
    Kind("401-claims", wanting_claims, anything, frozenset(), passes=True),
    _GOT_OVER("401-challenge", _ANOTHER, anything, once=True, like="401-claims"),
]

_CONSISTENCY = [
    Kind(
        "get-404",  # a replica that lags behind; one that lags for ever is no Azure
        answered(faults.error(404, "ResourceNotFound")),
        resource_reads,
        once=True,
    ),
    # An answer from before the operation ended, once; or it is a resource that never comes to rest.
    Kind("stale-creating", bent(creating), one_resource, frozenset({11}), passes=True),
    Kind("ids-in-capitals", bent(capitals), reads, frozenset(), passes=True, always=True),
    Kind("list-misses", bent(unlisted), searches, frozenset(), passes=True, once=True),
    # Documented for lists filtered by tag; others have seen the tags there.
    Kind("list-tagless", bent(untagged), searches, frozenset(), passes=True, always=True),
    _GOT_OVER("put-412", answered(faults.error(412, "PreconditionFailed")), vm_puts, once=True),
    _GOT_OVER("put-409", answered(faults.error(409, "Conflict")), writes),
    _GOT_OVER("put-404-group", answered(faults.error(404, "ResourceGroupNotFound")), puts),
    _GOT_OVER("being-deleted", answered(faults.error(409, "ResourceGroupBeingDeleted")), puts),
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
# Those of one exit code are one to our code.
_STANDS_FOR = {frozenset({6}): "failed-AllocationFailed", frozenset({4}): "failed-mute"}
_OPERATIONS = [
    Kind(
        f"failed-{code}",
        *(answered(faults.failed(code)), faults.polls, codes),
        like=_STANDS_FOR[codes].replace(f"failed-{code}", ""),
    )
    for code, codes in _OPERATION_CODES.items()
] + [
    Kind("failed-mute", said("Failed"), faults.polls),
    Kind("canceled", said("Canceled"), faults.polls),
    Kind("strange-status", said("Pondering"), faults.polls, frozenset({11}), passes=True),
    # Where its status cannot be read, the resource itself is asked: also for ever.
    Kind("no-status", said(None), faults.polls, frozenset(), passes=True),
    Kind("op-404", answered(faults.NOT_FOUND), faults.polls, frozenset(), passes=True),
    Kind("op-401", answered(EXPIRED), faults.polls, frozenset(), passes=True),
    _GOT_OVER("op-foreign", with_headers(**ELSEWHERE), writes, once=True),
    _GOT_OVER("op-missing", without("Azure-AsyncOperation", "Location"), writes, once=True),
    Kind("poll-after-3600", with_headers(Retry_After="3600"), faults.polls, frozenset({11})),
    Kind("next-foreign", bent(paged), lists, once=True),
]

_NOT_ALLOWED = "OperationNotAllowed"
_QUOTA = "exceeding approved X Family Cores quota"
_REFUSALS = [
    Kind(
        name,
        *(answered(faults.error(status, name, text)), applies, frozenset({code}), passes),
        like="BadRequest" if name == "MissingSubscriptionRegistration" else "",
    )
    for name, status, text, applies, code, passes in [
        ("NicReservedForAnotherVm", 400, "reserved for another VM, 180 seconds", deletes, 4, True),
        ("InUseSubnetCannotBeDeleted", 400, "in use", deletes, 4, True),
        ("PublicIPAddressCannotBeDeleted", 400, "in use", deletes, 4, True),
        ("AnotherOperationInProgress", 409, "wait", network, 4, True),
        ("ReferencedResourceNotProvisioned", 400, "Updating", vm_puts, 4, True),
        ("PropertyChangeNotAllowed", 409, "zone", vm_puts, 4, False),
        ("SkuNotAvailable", 409, "Capacity Restrictions", vm_puts, 6, True),  # elsewhere it is
        ("MissingSubscriptionRegistration", 409, "not registered to use", puts, 4, False),
        ("BadRequest", 400, "no", writes, 4, False),
    ]
] + [
    Kind("quota", answered(faults.error(409, _NOT_ALLOWED, _QUOTA)), vm_puts, frozenset({5})),
    _GOT_OVER(
        "marked-for-deletion",
        answered(faults.error(409, _NOT_ALLOWED, "is marked for deletion.")),
        deletes,
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
    counted: Callable[[Request], bool] = anything
    seen: int = 0
    fired: int = 0
    _alike: tuple[str, str] | None = None

    def __call__(self, request: Request) -> Answer | None:
        """Answers, raises, or lets it pass."""
        counts = self.counted(request)
        met = counts and self.seen >= self.number and not self.fired
        self.seen += counts
        again = self.forever and self.fired and alike(request) == self._alike
        if not (met or again) or not self.kind.applies(request):
            return None
        self._alike = alike(request)
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
