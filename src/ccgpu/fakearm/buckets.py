"""Token buckets in virtual time: the request limits of ARM and of the compute provider.

They apply only when the setting `buckets` is true. A refused request takes no token.

Numbers: Microsoft Learn, "Understand how Azure Resource Manager throttles requests" and "Throttling
limits for compute". Header names are recorded (azure-powershell, 2024).
"""

import json
import math
from typing import NamedTuple

from ccgpu.fakearm import kinds
from ccgpu.fakearm.call import ArmCall
from ccgpu.fakearm.clock import arm_time
from ccgpu.fakearm.errors import GATEWAY, Refused, error
from ccgpu.fakearm.rbac import ACTIONS, GRAPH_ROUTE, resource_scope
from ccgpu.fakearm.world import World


class TokenBucket(NamedTuple):
    """`rate` is in tokens a second. `of` is a resource, or empty for a subscription's bucket."""

    name: str
    size: int
    rate: float
    of: str = ""


_ARM = {"reads": (250, 25.0), "writes": (200, 10.0), "deletes": (200, 10.0)}
_METHODS = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}
# Microsoft Learn, "Guidance for throttled requests in Azure Resource Graph": 15 queries in 5 s.
_GRAPH = TokenBucket("graph", 15, 3.0)
_MINUTE = 60.0
# Compute: (size, tokens a minute) for one resource (None: no bucket) and the subscription.
_COMPUTE = {
    "PutVM": ((12, 4), (1500, 500)),
    "UpdateVM": ((12, 4), (1500, 500)),
    "DeleteVM": ((12, 4), (1500, 500)),
    "LowCostGet": ((36, 12), (24000, 8000)),
    "HighCostGet": (None, (900, 300)),
    "GetOperation": ((45, 15), (15000, 5000)),
}
_VERBS = {
    "write": {"PUT": "PutVM", "PATCH": "UpdateVM"},
    "delete": {"DELETE": "DeleteVM"},
    "deallocate/action": {"POST": "DeleteVM"},
    "retrieveBootDiagnosticsData/action": {"POST": "LowCostGet"},
    "instanceView/read": {"GET": "LowCostGet"},
}


def take_tokens(call: ArmCall, route: tuple[str, str]) -> dict[str, str]:
    """Take a token from each bucket of the request. Returns the headers that tell what is left."""
    if not call.world.settings.value("buckets"):
        return {}
    if route == GRAPH_ROUTE:
        return _take_graph_token(call.world)
    kind = _METHODS.get(call.request.method, "writes")
    arm, compute = TokenBucket(kind, *_ARM[kind]), _compute_buckets(call, route)
    filled = [(one, _available_tokens(call.world, one)) for one in (arm, *compute)]
    for bucket, tokens in filled:
        if tokens < 1:
            raise _throttling_refusal(call, bucket, math.ceil((1 - tokens) / bucket.rate))
    for bucket, tokens in filled:
        _take_token(call.world, bucket, tokens)
    (_, left), *others = filled
    headers = {f"x-ms-ratelimit-remaining-subscription-{kind}": str(int(left - 1))}
    if others:
        parts = [f"Microsoft.Compute/{one.name};{int(tokens - 1)}" for one, tokens in others]
        headers["x-ms-ratelimit-remaining-resource"] = ",".join(parts)
    return headers


def _take_token(world: World, bucket: TokenBucket, tokens: float) -> None:
    key = f"{bucket.name} {bucket.of}"
    world.store.run("INSERT OR REPLACE INTO buckets VALUES (?, ?, ?)", key, tokens - 1, world.now)


def _take_graph_token(world: World) -> dict[str, str]:
    """Resource Graph counts the queries of a user, and none of them as a request to ARM."""
    tokens = _available_tokens(world, _GRAPH)
    reset = {"x-ms-user-quota-resets-after": "00:00:05"}
    if tokens < 1:
        seconds = math.ceil((1 - tokens) / _GRAPH.rate)
        help_ = "Please see https://aka.ms/resourcegraph-throttling for help."
        detail = error("RateLimiting", f"Client application has been throttled. {help_}")
        left = {"x-ms-user-quota-remaining": "0", "Retry-After": str(seconds), **reset}
        at = arm_time(world.now)
        text = f"Please provide below info when asking for support: timestamp = {at}."
        raise Refused(429, "RateLimiting", text, details=[detail], headers=left)
    _take_token(world, _GRAPH, tokens)
    return {"x-ms-user-quota-remaining": str(int(tokens - 1)), **reset}


def _available_tokens(world: World, bucket: TokenBucket) -> float:
    key = f"{bucket.name} {bucket.of}"
    row = world.store.row("SELECT tokens, at FROM buckets WHERE name = ?", key)
    if row is None:
        return float(bucket.size)
    tokens, at = row
    return float(min(bucket.size, tokens + (world.now - at) * bucket.rate))


def _compute_buckets(call: ArmCall, route: tuple[str, str]) -> list[TokenBucket]:
    group = _operation_group(ACTIONS[route], route)
    if group is None:
        return []
    own, shared = _COMPUTE[group]
    size, rate = shared
    found = [TokenBucket(f"{group}SubscriptionMaximum", size, rate / _MINUTE)]
    if own is not None:
        size, rate = own
        found.append(
            TokenBucket(
                f"{group}Resource", size, rate / _MINUTE, resource_scope(call.request.path).lower()
            )
        )
    return found


def _operation_group(action: str, route: tuple[str, str]) -> str | None:
    """The compute provider's operation group that counts this request."""
    if action.startswith("Microsoft.Compute/locations/") and "perations/" in action:
        return "GetOperation"
    if not action.startswith(f"{kinds.VM}/"):
        return None
    verb, (method, shape) = action.removeprefix(f"{kinds.VM}/"), route
    if verb == "read":
        return "LowCostGet" if shape.endswith("*") else "HighCostGet"
    return _VERBS.get(verb, {}).get(method, "UpdateVM")


def _throttling_refusal(call: ArmCall, bucket: TokenBucket, seconds: int) -> Refused:
    after = {"Retry-After": str(seconds)}
    if bucket.name in _ARM:
        return Refused(
            429,
            "429",
            f"The request for subscription '{call.world.subscription}' could not be processed due "
            "to an excessive volume of traffic. Please try again later.",
            headers={**after, **GATEWAY},
        )
    measured = {
        "operationGroup": bucket.name,
        "startTime": arm_time(call.world.now),
        "endTime": arm_time(call.world.now + seconds),
        "allowedRequestCount": bucket.size,
        "measuredRequestCount": bucket.size + 1,
    }
    message = json.dumps(measured, separators=(",", ":"))
    detail = error("TooManyRequests", message, target=bucket.name)
    return Refused(
        429,
        "OperationNotAllowed",
        "The server rejected the request because too many requests have been received for this "
        "subscription.",
        details=[detail],
        headers=after,
    )
