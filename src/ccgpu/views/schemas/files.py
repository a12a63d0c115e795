"""The documents about files: init, templates, validate, config, collateral fetch.

And those that are files: the manifests of collateral and of a model, golden PCR values, and a line
of the log of workloads that a bundle holds.
"""

from typing import Any

from ccgpu.attest import workload_log
from ccgpu.domain import model_manifest as models
from ccgpu.domain import reference_values as golden
from ccgpu.domain.user_config import NAMES
from ccgpu.views.schemas.words import (
    BOOLEAN,
    COUNT,
    DIALECT,
    SHA256,
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

PROBLEM = {
    "line": nullable({"type": "integer", "minimum": 1}),
    "column": nullable({"type": "integer", "minimum": 1}),
    "field": TEXT,
    "message": TEXT,
}
_COMMIT: Schema = {"type": "string", "pattern": "^[0-9a-f]{40}$"}
_FILES = listing(record({"path": TEXT, "source": TEXT, "fetched_at": TIME, "sha256": SHA256}))


def init() -> dict[str, Any]:
    """The files that were written."""
    return document("ccgpu.init/1", "The files that were written.", {"files": listing(TEXT)})


def templates() -> dict[str, Any]:
    """The templates of specs."""
    row = record({"name": TEXT, "summary": TEXT})
    return document("ccgpu.templates/1", "The templates of specs.", {"templates": listing(row)})


def validate() -> dict[str, Any]:
    """The problems of spec files."""
    row = record({"path": TEXT, "ok": BOOLEAN, "problems": listing(record(PROBLEM))})
    return document(
        "ccgpu.validate/1",
        "Every file with its problems.",
        {"ok": BOOLEAN, "files": listing(row)},
    )


def config() -> dict[str, Any]:
    """The user's defaults."""
    value = {"type": ["string", "array", "null"], "items": TEXT}
    row = {
        "name": choice(NAMES),
        "value": value,
        "source": choice(("environment", "file", "default")),
        "place": described(nullable(TEXT), "The variable, or file:line."),
    }
    return document(
        "ccgpu.config/1",
        "The user's defaults, each with where it comes from.",
        {"path": nullable(TEXT), "settings": listing(record(row))},
    )


def collateral_fetch() -> dict[str, Any]:
    """What was fetched, and what is missing."""
    missing = record({"what": TEXT, "reasons": listing(TEXT)})
    return document(
        "ccgpu.collateral-fetch/1",
        "The collateral that was fetched, and what could not be had.",
        {"folder": TEXT, "files": _FILES, "missing": listing(missing)},
    )


def collateral() -> dict[str, Any]:
    """The manifest of a folder of collateral."""
    return document(
        "ccgpu.collateral/1",
        "manifest.json of a folder of collateral.",
        {"made_at": TIME, "files": _FILES},
    )


def model_manifest() -> dict[str, Any]:
    """The file of `--model-lock`."""
    row = record({"path": TEXT, "size": COUNT, "sha256": SHA256})
    return document(
        models.SCHEMA,
        "The files of a model, as `--model-lock` keeps them.",
        {"repository": TEXT, "commit": _COMMIT, "files": listing(row)},
    )


def reference_values() -> dict[str, Any]:
    """The file of `--record` and `--pins`."""
    body = golden.ReferenceValues.model_json_schema(by_alias=True)
    body.pop("title")
    return {"$schema": DIALECT, "title": golden.SCHEMA, **body}


def workload_event() -> dict[str, Any]:
    """A line of the log of workloads."""
    model = record({"repository": TEXT, "commit": _COMMIT, "manifest": TEXT})
    return document(
        workload_log.SCHEMA,
        "A line of the log of workloads: what PCR 13 was extended with.",
        {
            "name": TEXT,
            "image": TEXT,
            "image_digest": TEXT,
            "command": listing(TEXT),
            "mounts": listing(TEXT),
            "model": nullable(model),
            "environment": described(listing(TEXT), "Names of variables."),
        },
    )
