"""The documents of checks and of dated tables: doctor, drivers, models; and of the version."""

from typing import Any

from ccgpu.domain.finding import FindingState
from ccgpu.guest.readiness import GuestState
from ccgpu.views.schemas.words import (
    BOOLEAN,
    DATE,
    NUMBER,
    SIGNED_IN_WITH,
    TEXT,
    choice,
    described,
    document,
    listing,
    mapping,
    nullable,
    record,
)

FORECAST = listing(
    record(
        {
            "what": TEXT,
            "on": described(nullable(DATE), "First day without it; null if that is not known."),
            "then": TEXT,
            "source": TEXT,
            "remedy": TEXT,
        }
    )
)
_FIX = record({"what": TEXT, "commands": listing(listing(TEXT))})


def doctor() -> dict[str, Any]:
    """The checks of a set-up, or of a VM."""
    states = dict.fromkeys([*FindingState, *GuestState])
    check = {"step": TEXT, "state": choice(states), "message": TEXT, "remedy": nullable(TEXT)}
    return document(
        "ccgpu.doctor/1",
        "The checks of the user's set-up, or of a VM.",
        {
            "name": described(nullable(TEXT), "The VM's deployment; null: the set-up."),
            "ok": BOOLEAN,
            "checks": listing(record(check)),
            "fixes": listing(_FIX),
            "applied": listing(_FIX),
            "forecast": described(FORECAST, "Of the set-up alone."),
            "signed_in_with": SIGNED_IN_WITH,
        },
        optional=["forecast", "signed_in_with"],
    )


def drivers() -> dict[str, Any]:
    """The table of GPU drivers."""
    kernel = {"release": TEXT, "flavour": TEXT, "minimum": TEXT, "source": TEXT}
    driver = {
        "version": TEXT,
        "branch": TEXT,
        "offered": BOOLEAN,
        "refusal": nullable(TEXT),
        "manifest": TEXT,
        "signer_expires": nullable(DATE),
        "security_fixes": BOOLEAN,
        "rejected_by": described(listing(TEXT), "Shipped policies."),
        "seen": described(nullable(TEXT), "How it is known to run on the VM size."),
        "warnings": listing(TEXT),
        "sources": listing(TEXT),
    }
    return document(
        "ccgpu.drivers/1",
        "The GPU drivers that can be attested, and until when.",
        {
            "as_of": DATE,
            "review_by": DATE,
            "default": TEXT,
            "warnings": listing(TEXT),
            "branches": described(mapping(TEXT), "The version that a branch stands for."),
            "kernels": listing(record(kernel)),
            "drivers": listing(record(driver)),
        },
    )


def models() -> dict[str, Any]:
    """The table of models."""
    model = {
        "repository": TEXT,
        "family": TEXT,
        "kind": TEXT,
        "form": TEXT,
        "billions": NUMBER,
        "active_billions": NUMBER,
        "weights_gb": NUMBER,
        "fits": BOOLEAN,
        "use_instead": nullable(TEXT),
        "licence": TEXT,
        "gated": BOOLEAN,
        "workloads": listing(TEXT),
        "speed": nullable(record({"tokens_per_second": NUMBER, "source": TEXT})),
        "note": nullable(TEXT),
        "sources": listing(TEXT),
    }
    return document(
        "ccgpu.models/1",
        "The models that are known, and whether they fit.",
        {
            "as_of": DATE,
            "review_by": DATE,
            "gpu_memory_gb": NUMBER,
            "warnings": listing(TEXT),
            "models": listing(record(model)),
        },
    )


def version() -> dict[str, Any]:
    """This build of ccgpu, and what it runs on."""
    commit = {"type": "string", "pattern": "^[0-9a-f]{40}$"}
    return document(
        "ccgpu.version/1",
        "What `ccgpu --version -o json` prints: this build, and what it runs on.",
        {
            "version": TEXT,
            "commit": described(nullable(commit), "What it was built from; null if unknown."),
            "python": TEXT,
            "packages": described(
                mapping(nullable(TEXT)), "Versions by name; null for one without metadata."
            ),
        },
    )
