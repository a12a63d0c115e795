"""Azure Resource Graph: one query, for the VMs of the subscription, from an index that may lag.

Setting `lag.graph`: how many seconds ago the index was current; what was written since then is not
in it, and what was deleted since then still is. Setting `graph_page_size`: rows of an answer.
Another query is a gap. Form and paging: azure-rest-api-specs (resourcegraph.json, 2022-10-01) and
Microsoft Learn, "Guidance for pagination".
"""

import base64
from collections.abc import Iterator
from typing import Any

from ccgpu.fakearm import kinds, rbac
from ccgpu.fakearm.call import ArmCall, Route, Routes
from ccgpu.fakearm.vm.view import power_state, vm_body
from ccgpu.fakearm.wire import Body, FakeGap, Response
from ccgpu.fakearm.world import StoredResource, World

_QUERY = (
    "resources | where type =~ 'microsoft.compute/virtualmachines' "
    "| project id, location, zones, tags, properties | order by id asc"
)
_BEHIND, _AT_ONCE = "kind = ? AND key > ?", 50
# Each resource as it was at that time: of what it has been since, the version that ended first
# (SQLite, "bare columns in an aggregate query"). The present one has no end.
_AS_OF = """(
  SELECT key, id, kind, grp, created, body, hidden, min(until) FROM (
    SELECT key, id, kind, grp, created, body, hidden, 9e999 AS until FROM resources
    UNION ALL
    SELECT key, id, kind, grp, created, body, hidden, until FROM past
  ) WHERE until > {then} AND created <= {then} GROUP BY key
)"""


def query_resources(call: ArmCall) -> Response:
    """One page of the answer. Rows that the caller may not read are left out."""
    asked = call.body()
    options: Body = asked.get("options") or {}
    _check_known(call.world, asked, options)
    after = _decode(str(options.get("$skipToken", "")))
    size = min(call.world.settings.value("graph_page_size"), options["$top"])
    allowed = _may_read(call.world)
    data = [_row(call.world, one) for one in _select(call.world, after, size)] if allowed else []
    answer: Body = {
        "totalRecords": _count(call.world, "") if allowed else 0,
        "count": len(data),
        "data": data,
        "facets": [],
        "resultTruncated": "false",
    }
    if data and _count(call.world, last := data[-1]["id"].lower()):
        answer["$skipToken"] = base64.urlsafe_b64encode(last.encode()).decode()
    return Response(200, answer)


def _check_known(world: World, asked: Body, options: Body) -> None:
    known = {"subscriptions": [world.subscription], "query": _QUERY}
    usual: dict[str, Any] = {"$top": 1000, "resultFormat": "objectArray"}
    given = {name: value for name, value in options.items() if name != "$skipToken"}
    if asked != {**known, "options": options} or given != usual:
        raise FakeGap(f"a query of Resource Graph: {asked}")


def _decode(token: str) -> str:
    """The last id of the page before."""
    try:
        return base64.urlsafe_b64decode(token.encode("ascii")).decode("ascii")
    except ValueError as err:
        raise FakeGap("a $skipToken was changed") from err


def _may_read(world: World) -> bool:
    return rbac.is_allowed(world, f"{kinds.VM}/read", f"/subscriptions/{world.subscription}")


def _select(world: World, after: str, size: int) -> Iterator[StoredResource]:
    """The first VMs in the index behind this id, in order; a few at a time, as they are large."""
    rows = _indexed_rows(world)
    while size > 0:
        found = world.select(rows, _BEHIND, [kinds.VM, after], min(size, _AT_ONCE))
        yield from found
        if not found:
            return
        size, after = size - len(found), found[-1].key


def _count(world: World, after: str) -> int:
    """How many VMs the index has behind this id."""
    counted = f"SELECT count(*) FROM {_indexed_rows(world)} WHERE {_BEHIND}"  # noqa: S608
    return int(world.store.row(counted, kinds.VM, after)[0])


def _indexed_rows(world: World) -> str:
    """What the index is made of: the table `resources`, or SQL with the same columns."""
    lag = float(world.settings.value("lag").get("graph", 0))
    return _AS_OF.format(then=world.now - lag) if lag else "resources"


def _row(world: World, vm: StoredResource) -> Body:
    """The columns of the query; missing ones are null. The state of a VM is not its own."""
    body = vm_body(vm)
    state = power_state(world, vm)
    power = {"code": f"PowerState/{state}", "displayStatus": f"VM {state}", "level": "Info"}
    extended = {"extended": {"instanceView": {"powerState": power}}}
    columns = {name: body.get(name) for name in ("id", "location", "zones", "tags")}
    return columns | {"properties": body["properties"] | extended}


ROUTES: Routes = {rbac.GRAPH_ROUTE: Route(query_resources, kinds.GRAPH_API)}
