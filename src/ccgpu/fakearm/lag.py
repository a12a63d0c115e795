"""Replication delay: recent changes that ARM's regional replicas do not show yet.

Setting `lag`: for `lists` seconds a list omits new resources and still has deleted ones; `reads` is
the number of reads after a 201 that are answered 404. Resources from before the setting are
visible.
"""

from ccgpu.fakearm import errors, kinds
from ccgpu.fakearm.call import ArmCall, group_id
from ccgpu.fakearm.wire import Response
from ccgpu.fakearm.world import StoredResource, World

_NOT_IN_RESOURCE_LIST = (kinds.GROUP, kinds.LOCK, kinds.POLICY, kinds.ROLE_ASSIGNMENT)


def visible_resources(
    world: World, kind: str | None = None, group: str | None = None
) -> list[StoredResource]:
    """The resources that a list shows. Without a kind: all but groups, locks and assignments."""
    if kind is not None:
        found = world.list_kind(kind, group)
    else:
        found = world.list_group(group) if group else world.list_all()
        found = [one for one in found if one.kind not in _NOT_IN_RESOURCE_LIST]
    seconds = world.settings.value("lag").get("lists", 0)
    if not seconds:
        return found
    visible = {
        one.key: one
        for one in world.deleted_since(world.now - seconds)
        if _matches(one, kind, group)
    }
    visible |= {one.key: one for one in found if one.created + seconds <= world.now}
    return [visible[key] for key in sorted(visible)]


def _matches(one: StoredResource, kind: str | None, group: str | None) -> bool:
    if kind is None and one.kind in _NOT_IN_RESOURCE_LIST:
        return False
    return kind in (None, one.kind) and (group is None or one.group.lower() == group.lower())


def hide_from_reads(call: ArmCall, answer: Response) -> None:
    """After a 201, hide the new resource from the next reads."""
    reads = call.world.settings.value("lag").get("reads", 0)
    if reads and call.request.method == "PUT" and answer.status == 201:
        key = call.request.path.rstrip("/").lower()
        call.world.store.run("INSERT OR REPLACE INTO unseen VALUES (?, ?)", key, reads)


def refuse_hidden(call: ArmCall) -> None:
    """Answer 404 while the resource is hidden, or while the group of a PUT is hidden."""
    if not call.world.settings.value("lag").get("reads", 0):
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
    """Whether the resource is hidden from this read. Counts the read."""
    row = world.store.row('SELECT "left" FROM unseen WHERE key = ?', id_.lower())
    if row is None or not row[0]:
        return False
    world.store.run('UPDATE unseen SET "left" = "left" - 1 WHERE key = ?', id_.lower())
    return True
