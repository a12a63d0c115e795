"""Pages of the lists of resources, each read from the state by itself.

A list is in the order of the ids. `nextLink` carries the last id of its page, so that no page reads
those before it. What replication delay hides, `lag` says.
"""

from collections.abc import Callable
from urllib.parse import quote

from ccgpu.fakearm import filters, kinds, lag
from ccgpu.fakearm.call import ArmCall
from ccgpu.fakearm.wire import Body, Response
from ccgpu.fakearm.world import StoredResource

# The list of a group's or a subscription's resources has none of these.
_NOT_IN_RESOURCE_LIST = (kinds.GROUP, kinds.LOCK, kinds.POLICY, kinds.ROLE_ASSIGNMENT)


def resource_page(
    call: ArmCall,
    kind: str | None,
    view: Callable[[StoredResource], Body],
    setting: str = "page_size",
    *,
    within: str | None = None,
) -> Response:
    """One page of the resources of a kind, or of all, in the call's group or subscription.

    `within`: only those that are part of the resource of this id.
    """
    size = call.world.settings.value(setting)
    size = min(size, int(call.query.get("$top", size)))
    found = _select(call, kind, size + 1, within)
    answer: Body = {"value": [view(one) for one in found[:size]]}
    if len(found) > size:
        address = call.request.url.partition("&$skiptoken=")[0]
        answer["nextLink"] = f"{address}&$skiptoken={quote(found[size - 1].key, safe='')}"
    return Response(200, answer)


def _select(
    call: ArmCall, kind: str | None, limit: int, within: str | None
) -> list[StoredResource]:
    """The first resources after the page before, at most `limit`."""
    inside = f"/subscriptions/{call.world.subscription}/".lower()
    if len(call.names) > 1:
        inside += f"resourcegroups/{call.names[1].lower()}/"
    if within is not None:
        inside = f"{within.lower()}/"
    terms, values = ["key > ?", "key < ?"], [inside, f"{inside[:-1]}0"]  # "0" follows "/"
    if after := call.query.get("$skiptoken"):
        values[0] = after
    if kind is not None:
        terms.append("kind = ?")
        values.append(kind)
    else:
        terms.append(f"kind NOT IN ({', '.join('?' * len(_NOT_IN_RESOURCE_LIST))})")
        values += _NOT_IN_RESOURCE_LIST
    for term, wanted in filters.sql_terms(call.query.get("$filter")):
        terms.append(term)
        values += wanted
    return call.world.select(lag.visible_rows(call.world), " AND ".join(terms), values, limit)
