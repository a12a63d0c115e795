"""Many deployments in the simulated subscription, made from one in no time.

Each is a copy of the rows of a real one under another name, with ids of its own.
"""

import json
import uuid
from typing import Any

from ccgpu.fakearm import FakeArm

_TABLES = {
    "resources": ("key", "id", "kind", "grp", "created", "body", "hidden"),
    "refs": ("target", "source", "owner", "role", "detail"),
    "allocations": ("vm", "region", "zone", "size", "family", "cores", "spot", "allocated"),
    "billing": ("resource", "since", "until"),
}


def copy_deployment(arm: FakeArm, name: str, copies: list[str]) -> None:
    """Make a deployment of each name in `copies` that is as the deployment `name`."""
    for table, columns in _TABLES.items():
        rows = [
            row
            for row in arm._store.rows(f"SELECT {', '.join(columns)} FROM {table}")
            if any(f"ccgpu-{name}" in str(value) for value in row)
        ]
        places = ", ".join("?" * len(columns))
        with arm._store.transaction():
            arm._store.run_many(
                f"INSERT INTO {table} VALUES ({places})",
                [
                    tuple(_renamed(value, name, copy) for value in row)
                    for copy in copies
                    for row in rows
                ],
            )


def _renamed(value: Any, name: str, copy: str) -> Any:
    if not isinstance(value, str):
        return value
    text = value.replace(name, copy)
    if '"vmId"' not in text:
        return text
    body = json.loads(text)
    own = uuid.uuid5(uuid.NAMESPACE_OID, copy)
    body["properties"]["vmId"] = str(own)
    return json.dumps(body)
