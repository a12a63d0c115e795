"""The document of `plan`, and a step of it, which the one of `create` has, too."""

from typing import Any, get_args

from ccgpu.domain.action import Action
from ccgpu.domain.in_place import Recovery
from ccgpu.views.schemas import checks, places
from ccgpu.views.schemas.words import (
    ANY,
    ANY_OBJECT,
    ARM_ID,
    COUNT,
    SIGNED_IN_WITH,
    SIMULATED,
    TEXT,
    choice,
    described,
    document,
    listing,
    mapping,
    nullable,
    record,
)

_REASON = record(
    {
        "path": described(TEXT, "In ARM's words."),
        "wanted": ANY,
        "found": ANY,
        "field": described(nullable(TEXT), "The spec's field."),
        "current": ANY,
        "new": ANY,
    }
)
STEP = record(
    {
        "action": choice(Action),
        "kind": TEXT,
        "id": ARM_ID,
        "api_version": TEXT,
        "method": nullable(choice(("PUT", "PATCH"))),
        "body": described(
            nullable(ANY_OBJECT), "Exactly what is sent; of a kept resource, what would be."
        ),
        "recovery": nullable(choice(get_args(Recovery))),
        "needs": described(listing(ARM_ID), "The resources that it depends on."),
        "reasons": listing(_REASON),
        "others": described(
            listing(record({"what": TEXT, "name": TEXT})), "Not in the spec, and kept."
        ),
    }
)
SOURCE = {
    "name": TEXT,
    "source": described(TEXT, "Where this machine reads it."),
    "owner": described(COUNT, "User id of the file in the VM."),
}


def plan() -> dict[str, Any]:
    """What `create` would do."""
    quota = {"name": TEXT, "used": COUNT, "after": COUNT, "limit": COUNT}
    return document(
        "ccgpu.plan/1",
        "What `create` would do.",
        {
            "region": TEXT,
            "zone": nullable(TEXT),
            "image": described(mapping(TEXT), "ARM's imageReference."),
            "resources": listing(STEP),
            "quota": listing(record(quota)),
            "price": places.PRICE,
            "remembered": listing(TEXT),
            "secrets": listing(record(SOURCE)),
            "warnings": listing(TEXT),
            "forecast": checks.FORECAST,
            "simulated": SIMULATED,
            "signed_in_with": SIGNED_IN_WITH,
        },
    )
