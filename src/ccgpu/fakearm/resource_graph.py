"""Azure Resource Graph: one query, for the VMs of the subscription, from an index that may lag.

Setting `lag.graph`: how many seconds ago the index was current; what was written since then is not
in it, and what was deleted since then still is. Setting `graph_page_size`: rows of an answer.
Another query is a gap. Form and paging: azure-rest-api-specs (resourcegraph.json, 2022-10-01) and
Microsoft Learn, "Guidance for pagination".
"""

import base64
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
    rows = _select(call.world) if _may_read(call.world) else []
    size = min(call.world.settings.value("graph_page_size"), options["$top"])
    left = [one for one in rows if one.key > after]
    answer: Body = {
        "totalRecords": len(rows),
        "count": len(left[:size]),
        "data": [_row(call.world, one) for one in left[:size]],
        "facets": [],
        "resultTruncated": "false",
    }
    if len(left) > size:
        answer["$skipToken"] = base64.urlsafe_b64encode(left[size - 1].key.encode()).decode()
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


def _select(world: World) -> list[StoredResource]:
    """The VMs in the index, in the order of their ids."""
    lag = float(world.settings.value("lag").get("graph", 0))
    rows = _AS_OF.format(then=world.now - lag) if lag else "resources"
    return world.select(rows, "kind = ?", [kinds.VM], -1)


def _row(world: World, vm: StoredResource) -> Body:
    """The columns of the query; missing ones are null. The state of a VM is not its own."""
    body = vm_body(vm)
    state = power_state(world, vm)
    power = {"code": f"PowerState/{state}", "displayStatus": f"VM {state}", "level": "Info"}
    extended = {"extended": {"instanceView": {"powerState": power}}}
    columns = {name: body.get(name) for name in ("id", "location", "zones", "tags")}
    return columns | {"properties": body["properties"] | extended}


ROUTES: Routes = {rbac.GRAPH_ROUTE: Route(query_resources, kinds.GRAPH_API)}
