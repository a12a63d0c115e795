"""Long-running operations: accepted at once, ended at a later virtual time.

Every request first ends the operations that are due, in order and each at its own time. `Finishers`
maps an operation's action to the function that ends it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ccgpu.fakearm import kinds
from ccgpu.fakearm.clock import arm_time
from ccgpu.fakearm.errors import error
from ccgpu.fakearm.wire import Body, FakeGap, Response
from ccgpu.fakearm.world import StoredResource, World

IN_PROGRESS = "InProgress"
_COLUMNS = "id, action, target, started, due, ended, status, error, data, polls"
# The recorded `c` is a certificate of 2,575 characters and `s` a signature of 342: URLs of
# this length break a client that truncates or rebuilds them.
_CERTIFICATE = "not-a-certificate-".ljust(2575, "A")
_NETWORK_PAUSES = {False: (1, 2, 4, 8, 16), True: (10, 20, 40, 80, 100, 160)}  # True: deletes


@dataclass(slots=True)
class Operation:
    id: str
    action: str
    target: str
    started: float
    due: float
    ended: float | None = None
    status: str = IN_PROGRESS
    error: Body | None = None
    data: Body = field(default_factory=dict)
    polls: int = 0


Finisher = Callable[[World, Operation, StoredResource], Body | None]
Finishers = Mapping[str, Finisher]


def begin(
    world: World, action: str, target: StoredResource, seconds: float, **data: Any
) -> Operation:
    """Start an operation on `target` that ends after `seconds` of virtual time."""
    data.setdefault("api", kinds.API[target.kind])
    data.setdefault("family", provider_family(target.kind))
    data.setdefault("location", target.body.get("location", ""))
    operation = Operation(
        world.new_guid(), action, target.key, world.now, world.now + seconds, data=data
    )
    _save(world, operation)
    return operation


def provider_family(kind: str) -> str:
    if kind in (kinds.DISK, kinds.DES):
        return "disk"
    if kind.startswith(kinds.GALLERY):
        return "gallery"
    return "network" if kind.startswith("Microsoft.Network/") else "compute"


def find_operation(world: World, id_: str) -> Operation | None:
    return next(iter(_select(world, "id = ?", id_.lower())), None)


def running_operations(world: World, target: str) -> list[Operation]:
    """The operations that run on `target`, oldest first."""
    return _select(world, "target = ? AND ended IS NULL", target.lower())


def preempt(world: World, target: StoredResource) -> None:
    """Cancel all operations that run on `target`."""
    for operation in running_operations(world, target.key):
        _finish(world, operation, preemption_error())


def preemption_error() -> Body:
    return error(
        "OperationPreempted", "Operation execution has been preempted by a more recent operation."
    )


def finish_due(world: World, now: float, finishers: Finishers) -> None:
    """End all operations that are due by `now`."""
    while due := _select(world, "due <= ? AND ended IS NULL", now, limit=1):
        operation = due[0]
        world.now = operation.due
        world.settings.move_to(operation.due)
        target = world.find(operation.target)
        if target is None:
            _finish(world, operation, preemption_error())
        else:
            _finish(world, operation, finishers[operation.action](world, operation, target))
    world.now = now
    world.settings.move_to(now)


def _finish(world: World, operation: Operation, failure: Body | None) -> None:
    operation.ended = world.now
    operation.error = failure
    operation.status = "Succeeded"
    if failure:
        preempted = failure["code"] == "OperationPreempted"
        operation.status = "Canceled" if preempted else "Failed"
    _save(world, operation)


def _select(world: World, where: str, *values: Any, limit: int = -1) -> list[Operation]:
    rows = world.store.rows(
        f"SELECT {_COLUMNS} FROM operations WHERE {where} ORDER BY due, id LIMIT ?",  # noqa: S608
        *values,
        limit,
    )
    return [_from_row(*row) for row in rows]


def _from_row(*row: Any) -> Operation:
    id_, action, target, started, due, ended, status, failure, data, polls = row
    problem = json.loads(failure) if failure else None
    return Operation(
        id_, action, target, started, due, ended, status, problem, json.loads(data), polls
    )


def _save(world: World, operation: Operation) -> None:
    world.store.run(
        "INSERT OR REPLACE INTO operations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        operation.id,
        operation.action,
        operation.target,
        operation.started,
        operation.due,
        operation.ended,
        operation.status,
        json.dumps(operation.error) if operation.error else None,
        json.dumps(operation.data),
        operation.polls,
    )


def operation_url(world: World, operation: Operation, host: str, *, location: bool = False) -> str:
    """The operation's URL, or the `Location` of its result."""
    data = operation.data
    query = f"api-version={data['api']}&{_signature(operation.id)}"
    base = f"https://{host}/subscriptions/{world.subscription}"
    if data["family"] == "group":
        return f"{base}/operationresults/{operation.id}?{query}"
    if data["family"] == "network":
        part = "operationResults" if location else "operations"
        return (
            f"{base}/providers/Microsoft.Network/locations/{data['location']}/{part}/"
            f"{operation.id}?{query}"
        )
    part = {"disk": "DiskOperations", "gallery": "capsOperations"}.get(data["family"], "operations")
    monitor = "&monitor=true" if location else ""
    principal = hashlib.sha256(world.subscription.encode()).hexdigest()
    return (
        f"{base}/providers/Microsoft.Compute/locations/{data['location']}/{part}/"
        f"{operation.id}?p={principal[:8]}-{principal[8:12]}-4{principal[12:15]}-8"
        f"{principal[15:18]}-{principal[18:30]}{monitor}&{query}"
    )


def _signature(id_: str) -> str:
    digest = hashlib.sha512(id_.encode()).hexdigest()
    return (
        f"t=638{int(digest[:12], 16):015d}&c={_CERTIFICATE}&s={(digest * 3)[:342]}&h={digest[:43]}"
    )


def headers(world: World, operation: Operation, host: str, *, location: bool) -> dict[str, str]:
    """The headers of an accepted write."""
    answer = {
        "Azure-AsyncOperation": operation_url(world, operation, host),
        "Azure-AsyncNotification": "Enabled",
    }
    if location:
        answer["Location"] = operation_url(world, operation, host, location=True)
    return answer


def poll(world: World, operation: Operation, query: Mapping[str, str]) -> Response:
    """The response of `Azure-AsyncOperation`: always 200, with the status in the body."""
    _check_signature(operation, query)
    answer: Body = {}
    if operation.data["family"] != "network":
        answer = {"startTime": arm_time(operation.started)}
        if operation.ended is not None:
            answer["endTime"] = arm_time(operation.ended)
        answer["name"] = operation.id
    answer["status"] = operation.status
    if "output" in operation.data:
        answer["properties"] = {"output": operation.data["output"]}
    if operation.error:
        answer["error"] = operation.error
    return Response(200, answer, _retry_after(world, operation))


def poll_location(
    world: World, operation: Operation, query: Mapping[str, str], host: str
) -> Response:
    """The response of `Location`: 202 until the end, then empty or the operation's error."""
    _check_signature(operation, query)
    if operation.ended is None:
        pause = _retry_after(world, operation)
        if operation.data["family"] == "group":
            pause = {"Retry-After": "15"}
        location = operation_url(
            world, operation, host, location=operation.data["family"] != "group"
        )
        return Response(202, None, {"Location": location, **pause})
    if operation.error and operation.data["family"] == "group":
        return Response(409, {"Error": _capitalise_keys(operation.error)})  # as recorded
    if operation.error:
        return Response(409, {"error": operation.error})
    if "output" in operation.data:
        return Response(200, operation.data["output"])
    written = world.find(operation.target) if operation.action == "write" else None
    if written is not None and operation.data["family"] == "disk":
        return Response(200, written.body)  # of a PUT, whose final state is at Location (SDK)
    return Response(200 if operation.data["family"] == "group" else 204)


def _capitalise_keys(error: Body) -> Body:
    """A failed group deletion reports its error with capitalised keys."""
    return {
        key[:1].upper() + key[1:]: [_capitalise_keys(one) for one in value]
        if isinstance(value, list)
        else value
        for key, value in error.items()
    }


def _check_signature(operation: Operation, query: Mapping[str, str]) -> None:
    for part in _signature(operation.id).split("&"):
        key, _, value = part.partition("=")
        if query.get(key) != value:
            raise FakeGap(f"an operation's address was changed: {key!r} is not what was given out")


def _retry_after(world: World, operation: Operation) -> dict[str, str]:
    """The recorded `Retry-After`: it grows for network; short compute operations have none."""
    if operation.ended is not None:
        return {}
    operation.polls += 1
    _save(world, operation)
    if operation.data["family"] == "network":
        pauses = _NETWORK_PAUSES[operation.action.endswith("delete")]
        return {"Retry-After": str(pauses[min(operation.polls, len(pauses)) - 1])}
    if operation.due - operation.started < 30:
        return {}
    return {"Retry-After": str(max(30, min(60, int(operation.due - world.now))))}
