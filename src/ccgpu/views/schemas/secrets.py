"""The documents of secrets: secret put, list, rm. None has a value of a secret."""

from typing import Any

from ccgpu.views.schemas import plans, verdicts
from ccgpu.views.schemas.words import (
    BOOLEAN,
    COUNT,
    HEX,
    TEXT,
    TIME,
    Schema,
    choice,
    described,
    document,
    listing,
    nullable,
    record,
)

_PLACE: dict[str, Schema] = {
    "bytes": nullable(COUNT),
    "path": described(nullable(TEXT), "In the VM; null if it is not there."),
}
_PUT: dict[str, Schema] = {
    "dry_run": BOOLEAN,
    "verdict": verdicts.VERDICT,
    "simulated": BOOLEAN,
    "policy": TEXT,
    "loosened": listing(TEXT),
    "at": TIME,
    "vm_id": nullable(TEXT),
    "nonce": HEX,
    "bundle": nullable(TEXT),
}


def secret() -> dict[str, Any]:
    """The secrets of a VM, or those that were put or removed."""
    row: dict[str, Schema] = {**plans.SOURCE, **_PLACE}
    return document(
        "ccgpu.secret/1",
        "Secrets of a VM: names and places, never values. put has the verdict, too.",
        {
            "action": choice(("put", "list", "rm")),
            "name": TEXT,
            "secrets": listing(record(row, optional=["source"])),
            "absent": listing(TEXT),
            **_PUT,
        },
        optional=[*_PUT, "absent"],
    )
