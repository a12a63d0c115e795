"""The documents of the simulated subscription: fake show and its siblings, fake serve."""

from typing import Any

from ccgpu.views.schemas.words import (
    ARM_ID,
    COUNT,
    NUMBER,
    TEXT,
    TIME,
    described,
    document,
    listing,
    mapping,
    nullable,
    record,
)


def fake() -> dict[str, Any]:
    """The simulated subscription."""
    resource = {"id": ARM_ID, "kind": TEXT, "created": TIME, "billed_seconds": NUMBER}
    request = {"method": TEXT, "path": TEXT, "status": COUNT}
    added = {
        "id": ARM_ID,
        "kind": TEXT,
        "made_for": described(nullable(ARM_ID), "A group that was missing: what needed it."),
    }
    return document(
        "ccgpu.fake/1",
        "The simulated subscription; `added` after `fake add`.",
        {
            "now": described(TIME, "Virtual time."),
            "resources": listing(record(resource)),
            "billing": described(listing(ARM_ID), "What costs now."),
            "requests": listing(record(request)),
            "added": listing(record(added)),
        },
        optional=["added"],
    )


def fake_serve() -> dict[str, Any]:
    """How clients reach the served simulation."""
    return document(
        "ccgpu.fake-serve/1",
        "How clients reach the served simulation.",
        {
            "url": TEXT,
            "subscription_id": TEXT,
            "tenant_id": TEXT,
            "ca_file": TEXT,
            "environment": described(mapping(TEXT), "Variables for clients."),
            "commands": described(listing(listing(TEXT)), "They sign `az` in."),
        },
    )
