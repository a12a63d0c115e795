"""The documents of keys in Azure Key Vault: keyvault create-key and check."""

from typing import Any

from ccgpu.views.schemas.words import (
    ANY,
    ANY_OBJECT,
    BOOLEAN,
    SIMULATED,
    TEXT,
    described,
    document,
    listing,
    nullable,
    record,
)

_YES_NO_UNKNOWN = described(nullable(BOOLEAN), "Null: it is not known.")
_CLAUSE = record(
    {
        "path": described(TEXT, "Its place in the policy."),
        "claim": TEXT,
        "expected": ANY,
        "actual": ANY,
        "ok": _YES_NO_UNKNOWN,
        "why": TEXT,
        "hint": nullable(TEXT),
    }
)
_AUTHORITY = record(
    {
        "authority": TEXT,
        "is_issuer": BOOLEAN,
        "ok": _YES_NO_UNKNOWN,
        "clauses": listing(_CLAUSE),
    }
)


def key() -> dict[str, Any]:
    """A key that was created."""
    return document(
        "ccgpu.keyvault-key/1",
        "A key, as its vault describes it after its creation.",
        {
            "vault": TEXT,
            "id": TEXT,
            "name": TEXT,
            "version": TEXT,
            "type": TEXT,
            "exportable": BOOLEAN,
            "immutable": BOOLEAN,
            "release_policy": described(ANY_OBJECT, "In Azure's format."),
            "not_demanded": described(
                listing(TEXT), "Claims that ccgpu's own policies demand, and this one does not."
            ),
            "simulated": SIMULATED,
        },
    )


def check() -> dict[str, Any]:
    """Why a release would succeed or fail."""
    condition = {
        "id": TEXT,
        "what": TEXT,
        "ok": _YES_NO_UNKNOWN,
        "found": TEXT,
        "remedy": nullable(TEXT),
    }
    policy = {"ok": _YES_NO_UNKNOWN, "authorities": listing(_AUTHORITY)}
    return document(
        "ccgpu.keyvault-check/1",
        "Why the release of a key would succeed or fail.",
        {
            "releases": _YES_NO_UNKNOWN,
            "vault": TEXT,
            "key": record({"id": TEXT, "name": TEXT, "version": TEXT, "type": TEXT}),
            "claims": described(TEXT, "Where the claims are from."),
            "conditions": listing(record(condition)),
            "policy": nullable(record(policy)),
            "not_seen": listing(TEXT),
            "simulated": SIMULATED,
        },
    )
