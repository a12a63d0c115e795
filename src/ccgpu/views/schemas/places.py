"""The documents about regions: capacity, quota, price."""

from typing import Any

from ccgpu.domain.candidate import Availability
from ccgpu.views.schemas.words import (
    BOOLEAN,
    COUNT,
    NUMBER,
    SIMULATED,
    TEXT,
    TIME,
    choice,
    described,
    document,
    listing,
    nullable,
    record,
)

_PART = record(
    {
        "what": TEXT,
        "hourly": nullable(NUMBER),
        "meter": nullable(TEXT),
        "effective": described(nullable(TIME), "Since when Azure asks this price."),
        "unknown": described(nullable(TEXT), "Why the price is not known."),
    }
)
PRICE = record(
    {
        "currency": TEXT,
        "hourly": nullable(NUMBER),
        "daily": nullable(NUMBER),
        "monthly": nullable(NUMBER),
        "as_of": described(nullable(TIME), "When the prices were read."),
        "source": TEXT,
        "parts": listing(_PART),
    }
)
_QUOTA = record({"name": TEXT, "used": COUNT, "limit": COUNT, "after": COUNT, "enough": BOOLEAN})


def capacity() -> dict[str, Any]:
    """Where a VM could be."""
    row = {
        "region": TEXT,
        "zone": nullable(TEXT),
        "availability": choice(Availability),
        "reason": nullable(TEXT),
        "quota": listing(_QUOTA),
        "price": PRICE,
    }
    return document(
        "ccgpu.capacity/1",
        "Where a VM of this size could be created now, by Azure's lists.",
        {"size": TEXT, "candidates": listing(record(row)), "simulated": SIMULATED},
    )


def quota() -> dict[str, Any]:
    """The quota of regions."""
    row = {
        "region": TEXT,
        "quota": listing(_QUOTA),
        "unknown": described(nullable(TEXT), "Why the quota is not known."),
    }
    return document(
        "ccgpu.quota/1",
        "The quota that a VM of this size counts against.",
        {
            "size": TEXT,
            "regions": listing(record(row)),
            "portal": TEXT,
            "requests": described(listing(TEXT), "Texts that ask for more."),
            "simulated": SIMULATED,
        },
    )


def price() -> dict[str, Any]:
    """The price of a VM in regions."""
    row = {"region": TEXT, "on_demand": PRICE, "spot": PRICE}
    return document(
        "ccgpu.price/1",
        "What the VM of a spec costs, by Azure's retail prices.",
        {"size": TEXT, "prices": listing(record(row)), "simulated": SIMULATED},
    )
