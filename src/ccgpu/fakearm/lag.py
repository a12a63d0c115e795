"""Replication delay: recent changes that ARM's regional replicas do not show yet.

Setting `lag`: for `lists` seconds a list omits new resources and still has deleted ones; `reads` is
the number of reads after a 201 that are answered 404. Resources from before the setting are
visible.
"""

from ccgpu.fakearm import errors
from ccgpu.fakearm.call import ArmCall, group_id
from ccgpu.fakearm.wire import Response
from ccgpu.fakearm.world import World

# With this delay, the resources of before it, and those deleted since. A resource that was deleted
# more than once counts once (SQLite, "bare columns in an aggregate query").
_LAGGING = """(
  WITH shown AS (SELECT * FROM resources WHERE created + {seconds} <= {now})
  SELECT * FROM shown
  UNION ALL
  SELECT key, id, kind, grp, created, body, hidden FROM (
    SELECT *, max(at) FROM gone WHERE at > {now} - {seconds} GROUP BY key
  ) WHERE key NOT IN (SELECT key FROM shown)
)"""


def visible_rows(world: World) -> str:
    """What lists are made of: the table `resources`, or SQL with the same columns."""
    seconds = float(world.settings.value("lag").get("lists", 0))
    return _LAGGING.format(seconds=seconds, now=world.now) if seconds else "resources"


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
