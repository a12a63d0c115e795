"""What was just changed and is not seen everywhere yet: ARM's regional replicas lag behind.

Setting `lag`: `lists`, for how many seconds a list leaves out what is new and still tells what
is gone; `reads`, how many times what a 201 promised is still answered 404. What came into being
before the setting did is seen by all.
"""

from ccgpu.fakearm import errors, kinds
from ccgpu.fakearm.call import ArmCall, group_id
from ccgpu.fakearm.wire import Response
from ccgpu.fakearm.world import StoredResource, World

_NOT_IN_RESOURCE_LIST = (kinds.GROUP, kinds.LOCK, kinds.POLICY)


def visible_resources(
    world: World, kind: str | None = None, group: str | None = None
) -> list[StoredResource]:
    """The resources that a list tells; without a kind all but groups."""
    if kind is not None:
        found = world.of_kind(kind, group)
    else:
        found = world.of_group(group) if group else world.every()
        found = [one for one in found if one.kind not in _NOT_IN_RESOURCE_LIST]
    seconds = world.settings.at("lag").get("lists", 0)
    if not seconds:
        return found
    told = {one.key: one for one in world.buried(world.at - seconds) if _matches(one, kind, group)}
    told |= {one.key: one for one in found if one.created + seconds <= world.at}
    return [told[key] for key in sorted(told)]


def _matches(one: StoredResource, kind: str | None, group: str | None) -> bool:
    if kind is None and one.kind in _NOT_IN_RESOURCE_LIST:
        return False
    return kind in (None, one.kind) and (group is None or one.group.lower() == group.lower())


def hide_from_reads(call: ArmCall, answer: Response) -> None:
    """Note that what was made with this answer is not seen by the next readers."""
    reads = call.world.settings.at("lag").get("reads", 0)
    if reads and call.request.method == "PUT" and answer.status == 201:
        key = call.request.path.rstrip("/").lower()
        call.world.store.run("INSERT OR REPLACE INTO unseen VALUES (?, ?)", key, reads)


def refuse_hidden(call: ArmCall) -> None:
    """Answer 404 to who comes too early: to a read of it, and to a write in a new group."""
    if not call.world.settings.at("lag").get("reads", 0):
        return
    method, path = call.request.method, call.request.path.rstrip("/").lower()
    group = group_id(call.world.subscription, call.names[1]) if len(call.names) > 1 else ""
    within = method == "PUT" and "/providers/" in path
    read = method in ("GET", "HEAD") and path == group.lower()
    if (within or read) and _count_hidden_read(call.world, group):
        raise errors.group_not_found(call.names[1])
    if method == "GET" and _count_hidden_read(call.world, path):
        kind, name = path.split("/providers/")[1].rsplit("/", 1)
        found = call.world.find(path)
        raise errors.resource_not_found(found.kind if found else kind, name, call.names[1])


def _count_hidden_read(world: World, id_: str) -> bool:
    """Whether it is still to be missed once more."""
    row = world.store.row('SELECT "left" FROM unseen WHERE key = ?', id_.lower())
    if row is None or not row[0]:
        return False
    world.store.run('UPDATE unseen SET "left" = "left" - 1 WHERE key = ?', id_.lower())
    return True
