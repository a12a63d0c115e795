"""What the state keeps of the past, so that a file that is used for years stays small.

Requests beyond the latest, operations that ended a day ago, and what deleted resources have cost:
nothing reads them any more.
"""

from ccgpu.fakearm.store import Store

REQUESTS = 20_000
_DAY = 24 * 3600.0  # Azure's own documents name no time after which an operation's status is gone
_EVERY = 500  # requests between two prunings


def prune(store: Store, request: int, now: float) -> None:
    """Drop what is too old, after this request, whose number is `request`; rarely does anything."""
    if request % _EVERY:
        return
    store.run("DELETE FROM requests WHERE n <= ?", request - REQUESTS)
    store.run("DELETE FROM operations WHERE ended < ?", now - _DAY)
    store.run("DELETE FROM gone WHERE at < ?", now - _DAY)
    store.run("DELETE FROM past WHERE until < ?", now - 2 * _DAY)  # an index may lag for 30 hours
    store.run(
        "DELETE FROM billing WHERE until < ? AND resource NOT IN (SELECT key FROM resources)",
        now - _DAY,
    )
    _join_bills(store, now - _DAY)
    store.run("DELETE FROM buckets WHERE at < ?", now - _DAY)  # by then they are full


def _join_bills(store: Store, before: float) -> None:
    """One line for what each resource had cost `before`, however often it was created anew."""
    closed = "FROM billing WHERE until < ? GROUP BY resource HAVING count(*) > 1"
    for resource, cost, end in store.rows(
        f"SELECT resource, sum(until - since), max(until) {closed}",  # a constant
        before,
    ):
        store.run("DELETE FROM billing WHERE resource = ? AND until < ?", resource, before)
        store.run("INSERT INTO billing VALUES (?, ?, ?)", resource, end - cost, end)
