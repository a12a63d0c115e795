"""What each resource has cost, in seconds of virtual time, and what costs now."""

from typing import Any

from ccgpu.fakearm.clock import utc_time
from ccgpu.fakearm.store import Store


def billing_report(store: Store) -> dict[str, Any]:
    """The whole subscription, as `ccgpu fake show` prints it."""
    now = float(store.row("SELECT now FROM world")[0])
    billed: dict[str, float] = {}
    running = set()
    for resource, since, until in store.rows("SELECT resource, since, until FROM billing"):
        billed[resource] = billed.get(resource, 0.0) + ((now if until is None else until) - since)
        if until is None:
            running.add(resource)
    resources = store.rows("SELECT key, id, kind, created FROM resources ORDER BY created, key")
    return {
        "now": utc_time(now),
        "resources": [
            {
                "id": id_,
                "kind": kind,
                "created": utc_time(created),
                "billed_seconds": billed.get(key, 0.0),
            }
            for key, id_, kind, created in resources
        ],
        "billing": [id_ for key, id_, _, _ in resources if key in running],
        "requests": [
            {"method": method, "path": path, "status": status}
            for method, path, status in store.rows(
                "SELECT method, path, status FROM requests ORDER BY n"
            )
        ],
    }
