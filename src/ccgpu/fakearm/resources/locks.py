"""Management locks: on the subscription, on a group, on a resource. `governance` enforces them.

Forms: Microsoft Learn, REST API "Management locks" 2020-05-01. A list has what is at its scope or
below it.
"""

from typing import Any

from ccgpu.fakearm import errors, kinds
from ccgpu.fakearm.call import (
    IN_GROUP,
    IN_SUBSCRIPTION,
    ArmCall,
    Route,
    Routes,
    page_response,
    require_group,
)
from ccgpu.fakearm.wire import Body, Response
from ccgpu.fakearm.world import StoredResource

_LEVELS = {"cannotdelete": "CanNotDelete", "readonly": "ReadOnly"}
_PATH = kinds.LOCK.lower()


def _scope(call: ArmCall) -> str:
    """The id of what the lock in the path is on, which must exist."""
    scope = "/" + call.request.path.strip("/").rpartition("/providers/")[0]
    if len(call.names) > 2 or "/resourcegroups/" in scope.lower():
        require_group(call)
    if "/providers/" in scope:
        found = call.world.find(scope)
        if found is None:
            kind = scope.rpartition("/providers/")[2].rpartition("/")[0]
            raise errors.resource_not_found(kind, scope.rsplit("/", 1)[1], call.names[1])
        return found.id
    return scope


def _find(call: ArmCall) -> StoredResource | None:
    return call.world.find("/" + call.request.path.strip("/"))


def _view(lock: StoredResource) -> Body:
    """A lock has no provisioning state."""
    given = lock.properties
    return {**lock.body, "properties": {k: given[k] for k in ("level", "notes") if k in given}}


def get(call: ArmCall) -> Response:
    scope, found = _scope(call), _find(call)
    if found is None:
        name = call.names[-1]
        raise errors.Refused(
            404,
            "LockNotFound",
            f"The lock '{name}' could not be found at scope '{scope}'.",
            headers=errors.GATEWAY,
        )
    return Response(200, _view(found))


def put(call: ArmCall) -> Response:
    scope, old = _scope(call), _find(call)
    given: Any = call.body().get("properties") or {}
    level = _LEVELS.get(str(given.get("level")).lower())
    if level is None:
        raise errors.bad_json("the lock's level must be CanNotDelete or ReadOnly")
    name = call.request.path.rstrip("/").rsplit("/", 1)[1]
    id_ = old.id if old else f"{scope}/providers/{kinds.LOCK}/{name}"
    properties = {"level": level}
    if given.get("notes"):
        properties["notes"] = given["notes"]
    body: Body = {"id": id_, "name": name, "type": kinds.LOCK, "properties": properties}
    created = old.created if old else call.world.now
    lock = StoredResource(id_, kinds.LOCK, body, created)
    call.world.save(lock)
    return Response(200 if old else 201, _view(lock))


def delete(call: ArmCall) -> Response:
    _scope(call)
    found = _find(call)
    if found is None:
        return Response(204)
    call.world.remove(found)
    return Response(200)


def list_(call: ArmCall) -> Response:
    below = f"{_scope(call)}/".lower()
    found = [one for one in call.world.list_kind(kinds.LOCK) if one.key.startswith(below)]
    return page_response(call, [_view(one) for one in found])


def _places() -> list[str]:
    """Where locks may be: the beginnings of their paths."""
    return [
        IN_SUBSCRIPTION,
        IN_GROUP,
        *(
            f"{IN_GROUP}{kinds.list_path(kind)}/*/providers/"
            for kind in kinds.API.keys() - {kinds.GROUP}
        ),
    ]


PLACES = _places()
ROUTES: Routes = {
    (method, f"{place}{_PATH}{end}"): Route(handler, kinds.LOCK_API, options)
    for place in PLACES
    for method, end, handler, options in (
        ("GET", "/*", get, frozenset()),
        ("PUT", "/*", put, frozenset()),
        ("DELETE", "/*", delete, frozenset()),
        ("GET", "", list_, frozenset({"$skiptoken"})),
    )
}
